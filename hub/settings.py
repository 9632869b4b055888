"""Every setting of the hub, read from the environment or a `.env` file beside manage.py."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from hub import cluster_environment, queues
from hub.environment import (
    LANGUAGES_OF_PEOPLE,
    SHORTEST_KEY,
    ae_title,
    flag,
    folder,
    key,
    keys,
    language,
    port,
    processes,
    read_file,
    refuse_unknown,
    seconds,
    text,
    texts,
    url,
    whole,
)

BASE_DIR = Path(__file__).resolve().parent.parent
read_file(BASE_DIR / ".env")
DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql")
BROKER_SCHEMES = (
    "filesystem", "redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps", "memory",
)  # fmt: skip

# -- what an administrator sets ----------------------------------------------------------------
HUB_STATE_DIR = folder("HUB_STATE_DIR", BASE_DIR / "var")
HUB_BIND = text("HUB_BIND", "127.0.0.1")
HUB_HTTP_PORT = port("HUB_HTTP_PORT", 8000)
HUB_DICOM_PORT = port("HUB_DICOM_PORT", 11112)
HUB_AE_TITLE = ae_title("HUB_AE_TITLE", "HUB")
HUB_LISTENERS = processes("HUB_LISTENERS")
HUB_HL7_PORT = port("HUB_HL7_PORT", 2575)
HUB_DATABASE_URL = url(
    "HUB_DATABASE_URL", f"sqlite:///{HUB_STATE_DIR}/hub.sqlite3", schemes=DATABASE_SCHEMES
)
HUB_DATABASE_POOLED = flag("HUB_DATABASE_POOLED", default=False)
HUB_BROKER_URL = url("HUB_BROKER_URL", "filesystem://", schemes=BROKER_SCHEMES)
HUB_STORAGE_URL = url("HUB_STORAGE_URL", f"file://{HUB_STATE_DIR}/spool", schemes=("file", "s3"))
HUB_CACHE_BYTES = whole("HUB_CACHE_BYTES", 50 * 1024**3)
HUB_QUIET_SECONDS = seconds("HUB_QUIET_SECONDS", 30.0)
HUB_SHORT_QUIET_SECONDS = seconds("HUB_SHORT_QUIET_SECONDS", HUB_QUIET_SECONDS / 3)
HUB_CEILING_SECONDS = seconds("HUB_CEILING_SECONDS", HUB_QUIET_SECONDS * 30)
HUB_ALLOW_PROCESS_PERFORMER = flag("HUB_ALLOW_PROCESS_PERFORMER", default=False)
HUB_CONTAINER_COMMAND = text("HUB_CONTAINER_COMMAND", "podman")
HUB_CONTAINER_ARGS = texts("HUB_CONTAINER_ARGS")
HUB_CONTAINER_RUN_ARGS = texts("HUB_CONTAINER_RUN_ARGS")
HUB_DOCUMENT_BYTES = whole("HUB_DOCUMENT_BYTES", 10 * 1024**2)  # of a procedure, an agreement
HUB_OUTPUT_BYTES = whole("HUB_OUTPUT_BYTES", 1024**3)
HUB_ENGINE_PATIENCE_SECONDS = seconds("HUB_ENGINE_PATIENCE_SECONDS", 14400.0)
HUB_CLUSTER_HUB_URL = url("HUB_CLUSTER_HUB_URL", "http://hub-web:8000", schemes=("http", "https"))
HUB_CLUSTER = cluster_environment.read()
HUB_LEASE_SECONDS = seconds("HUB_LEASE_SECONDS", 15.0)
HUB_RESTART_SECONDS = seconds("HUB_RESTART_SECONDS", 10.0)
HUB_DRAIN_SECONDS = seconds("HUB_DRAIN_SECONDS", 60.0)
HUB_SWEEP_SECONDS = seconds("HUB_SWEEP_SECONDS", 2.0)
HUB_RETRY_SECONDS = seconds("HUB_RETRY_SECONDS", 1.0)
HUB_SEND_TIMEOUT_SECONDS = seconds("HUB_SEND_TIMEOUT_SECONDS", 30.0)
HUB_TURN_SECONDS = seconds("HUB_TURN_SECONDS", 5.0)
HUB_SYNC = flag("HUB_SYNC", default=True)
HUB_HEARTBEAT_FILE = text("HUB_HEARTBEAT_FILE", "")
HUB_MINIMUM_FREE_BYTES = whole("HUB_MINIMUM_FREE_BYTES", 512 * 1024 * 1024, least=0)
HUB_WORKER_THREADS = whole("HUB_WORKER_THREADS", 12)
HUB_WORKERS = text("HUB_WORKERS", "receive,route,run,write_back,billing")
HUB_DEBUG = DEBUG = flag("HUB_DEBUG", default=False)
HUB_HTTPS = flag("HUB_HTTPS", default=False)
HUB_ALLOWED_HOSTS = texts("HUB_ALLOWED_HOSTS", ("127.0.0.1", "localhost", "[::1]"))
HUB_TRUSTED_ORIGINS = texts("HUB_TRUSTED_ORIGINS")
HUB_TRUSTED_PROXIES = texts("HUB_TRUSTED_PROXIES", ("127.0.0.1", "::1"))
HUB_API_RATE_PER_MINUTE = whole("HUB_API_RATE_PER_MINUTE", 3000)
HUB_TOKEN_DAYS = whole("HUB_TOKEN_DAYS", 365)
HUB_LANGUAGE = LANGUAGE_CODE = language("HUB_LANGUAGE", "en")
HUB_CALL_OFFS_BY_FILE = flag("HUB_CALL_OFFS_BY_FILE", default=True)


def _secret_key() -> str:
    """HUB_SECRET_KEY; on the embedded database one is made once and kept in the state folder."""
    given = key("HUB_SECRET_KEY")
    if given:
        return given
    if not HUB_DATABASE_URL.startswith("sqlite"):
        raise ImproperlyConfigured(
            "HUB_SECRET_KEY: expected a random text of at least "
            f"{SHORTEST_KEY} characters, found nothing"
        )
    kept = HUB_STATE_DIR / "secret-key"
    if not kept.exists():
        made = HUB_STATE_DIR / f"secret-key.{secrets.token_hex(4)}"
        made.touch(mode=0o600)
        made.write_text(secrets.token_urlsafe(64))
        try:
            kept.hardlink_to(made)  # two processes that start at once agree on the first key
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return kept.read_text()


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = keys("HUB_SECRET_KEY_FALLBACKS")
HUB_IDENTITY_KEY = key("HUB_IDENTITY_KEY")
refuse_unknown()
try:
    queues.workers(HUB_WORKERS)
except queues.UnknownQueue as fault:
    raise ImproperlyConfigured(f"HUB_WORKERS: {fault}") from fault

# -- Django ------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "hub.apps.HubConfig",
    "vendors.apps.VendorsConfig",
    "marketplace.apps.MarketplaceConfig",
    "contracts.apps.ContractsConfig",
    "routing.apps.RoutingConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "hub.csp.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "hub.caching.keep_nothing",
    "hub.slashes.either_way",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "hub.in_one_thread.in_one_thread",
]
ROOT_URLCONF = "hub.urls"
ASGI_APPLICATION = "hub.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_USER_MODEL = "hub.User"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "worklist"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _database() -> dict[str, Any]:
    try:
        return dict(environ.Env.db_url_config(HUB_DATABASE_URL))
    except ValueError as fault:
        raise ImproperlyConfigured(
            "HUB_DATABASE_URL: expected postgres://USER:PASSWORD@HOST:PORT/NAME"
        ) from fault


DATABASES = {"default": _database()}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # WAL lets readers go on while one writes; the sweep empties it: below 40 MB no commit has to.
    # IMMEDIATE queues writers instead of failing them; synchronous=FULL because C-STORE answers
    # Success on the strength of the commit.
    _synchronous = "FULL" if HUB_SYNC else "NORMAL"
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={_synchronous};"
        "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4000; PRAGMA wal_autocheckpoint=10000;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # In transaction mode the next transaction may be on another connection.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = HUB_DATABASE_POOLED
    # A server that lost its power says no word: without these a worker would wait a quarter of an
    # hour for it, while its standby has long taken over. What HUB_DATABASE_URL says itself stands.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        # of hub.prepared alone; the statements of the ORM are never prepared
        "prepare_threshold": None if HUB_DATABASE_POOLED else 1,
    } | DATABASES["default"].get("OPTIONS", {})

LANGUAGES = list(LANGUAGES_OF_PEOPLE.items())
LOCALE_PATHS = [BASE_DIR / "hub" / "locale"]
FORMAT_MODULE_PATH = ["hub.formats"]
TIME_ZONE = "Europe/Oslo"
USE_TZ = True

STATIC_URL = "static/"
# An image has them collected and compressed beside the code; elsewhere they lie in the apps.
_collected = BASE_DIR / "staticfiles"
STATIC_ROOT = _collected if _collected.is_dir() else HUB_STATE_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = _collected != STATIC_ROOT
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# pods call the hub by the name that they were given
ALLOWED_HOSTS = [*HUB_ALLOWED_HOSTS, HUB_BIND, str(urlsplit(HUB_CLUSTER_HUB_URL).hostname)]
CSRF_TRUSTED_ORIGINS = HUB_TRUSTED_ORIGINS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HUB_HTTPS
SECURE_SSL_REDIRECT = HUB_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HUB_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HUB_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HUB_HTTPS else None
# pods of the cluster reach the web behind the proxy that speaks TLS
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$", r"^api/v1/runs/", r"^api/v1/servers/"]
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "hub.pages.stale"
X_FRAME_OPTIONS = "DENY"

# -- the API -----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "hub.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["hub.tokens.PerCaller"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "PAGE_SIZE": 100,
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=HUB_TOKEN_DAYS), "AUTH_HEADER_PREFIX": "Token"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Avrop, a vendor-neutral AI hub for medical imaging",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "ENUM_NAME_OVERRIDES": {
        "CallOffStateEnum": "contracts.models.CallOff.State",
        "OptionStateEnum": "contracts.models.OptionState",
        "DeliveryKindEnum": "routing.models.Delivery.Kind",
        "DocumentKindEnum": "contracts.models.Document.Kind",
        "ProcedureStateEnum": "contracts.models.Procedure.State",
        "ProcedureKindEnum": "contracts.models.Procedure.Kind",
        "ParticipantStateEnum": "contracts.models.Participant.State",
        "NoteKindEnum": "contracts.models.DialogueNote.Kind",
        "RequirementKindEnum": "contracts.models.Requirement.Kind",
        "SubmissionKindEnum": "contracts.models.Submission.Kind",
        "SubmissionStateEnum": "contracts.models.Submission.State",
        "CriterionKindEnum": "contracts.models.AwardCriterion.Kind",
        "SignedForEnum": ["validation", "clinical"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "hub.openapi.tell_refusals", "hub.openapi.close_bodies",
    ],
}

# -- work --------------------------------------------------------------------------------------
# kombu warns at every message of a URL without a host, though a folder has none
CELERY_BROKER_URL = (
    "filesystem://localhost" if HUB_BROKER_URL.startswith("filesystem") else HUB_BROKER_URL
)
CELERY_ACCEPT_CONTENT = ["json"]
# Never: hub.celery closes those that broke or are old, others stay open for the thread's next task.
CELERY_DB_REUSE_MAX = 10**9
CELERY_TASK_IGNORE_RESULT = True
# A nudge that cannot be sent is made good by the sweep: nobody waits for a broker that is away.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = queues.ROUTE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A broker may be away for a night, and workers are there when it is back.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Threads of tasks would ask RabbitMQ for more on the connection that the worker itself reads: one
# takes the other's answer, and the worker waits three minutes for it.
CELERY_WORKER_ENABLE_PREFETCH_COUNT_REDUCTION = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Nobody tells workers what to do but the rows: no queue for each of them, to be left in the broker.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_BEAT_SCHEDULER = "hub.beating:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "routing.tasks.sweep",
        "schedule": timedelta(seconds=HUB_SWEEP_SECONDS),
        "options": {"expires": HUB_SWEEP_SECONDS * 5, "queue": queues.RECEIVE},
    },
    "tidy": {
        "task": "routing.tasks.tidy",
        "schedule": timedelta(minutes=5),
        "options": {"expires": 600, "queue": queues.RUN},
    },
    "forget": {
        "task": "routing.tasks.forget",
        "schedule": timedelta(minutes=10),
        "options": {"expires": 600, "queue": queues.BILLING},
    },
    "tally": {
        "task": "routing.tasks.tally",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60, "queue": queues.BILLING},
    },
    "watch": {
        "task": "marketplace.tasks.watch",
        "schedule": timedelta(minutes=15),
        "options": {"expires": 900, "queue": queues.BILLING},
    },
    "notices": {
        "task": "contracts.tasks.watch",
        "schedule": timedelta(hours=1),
        "options": {"expires": 3600, "queue": queues.BILLING},
    },
}
CELERY_TIMEZONE = "UTC"
# Without an event loop, as with the folder, the worker looks only so often whether a nudge is due:
# at Celery's own one second a complete study could lie for as long as all of the hub's own work.
CELERY_WORKER_TIMER_PRECISION = 0.02
if HUB_BROKER_URL.startswith("filesystem"):
    _queue_folder = HUB_STATE_DIR / "queue"
    _queue_folder.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue_folder),
        "data_folder_out": str(_queue_folder),
        "control_folder": str(HUB_STATE_DIR / "queue-control"),
        "polling_interval": 0.02,
    }
else:
    # max_retries is for sending; without it kombu tries for six seconds, whatever Celery was told.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "max_retries": 0}
    if HUB_BROKER_URL.startswith("redis"):
        CELERY_BROKER_TRANSPORT_OPTIONS |= {"socket_connect_timeout": 2, "socket_timeout": 5}
    if HUB_BROKER_URL.startswith("amqp"):
        # one that is short of memory takes nothing more, and says so only to whoever reads
        CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 0, "read_timeout": 10, "write_timeout": 5}
        CELERY_BROKER_CONNECTION_TIMEOUT = 2

# -- logs: one line of key=value (or JSON), never patient data -----------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "hub.logs.formatter"},
    },
    "filters": {"spare": {"()": "hub.logs.Spare"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler", "formatter": "line", "filters": ["spare"],
        },
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "pynetdicom": {"level": "WARNING"},
        "pydicom": {"level": "ERROR"},
        "botocore": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "uvicorn.access": {"level": "WARNING"},
    },
}
