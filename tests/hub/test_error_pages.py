"""What is said when something went wrong: a sentence, and nothing of what the fault said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from hub import csp, pages
from hub.urls import handler400, handler403, handler404, handler500
from hub.urls import urlpatterns as doors

ROOT = Path(__file__).parents[2]
SECRET = "Hansen^Kari 13097248022"


def breaks(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError(f"DETAIL: {SECRET} cannot be converted")


urlpatterns = [*doors, path("breaks/", breaks), path("api/v1/breaks/", breaks)]
handlers = (handler400, handler403, handler404, handler500)


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@override_settings(ROOT_URLCONF="tests.hub.test_error_pages")
@pytest.mark.parametrize(("language", "said"), [("en", "went wrong"), ("nb", "gikk galt")])
def test_a_fault_of_the_hub_is_a_page_in_its_style_without_a_word_of_the_fault(
    client: Client, language: str, said: str
) -> None:
    answer = client.get("/breaks/", headers={"accept-language": language})
    text = answer.content.decode()
    assert answer.status_code == 500
    assert said in text
    assert "hub.css" in text
    for word in (SECRET, "Traceback", "RuntimeError", "breaks("):
        assert word not in text
    assert answer["Content-Security-Policy"] == csp.POLICY


@override_settings(ROOT_URLCONF="tests.hub.test_error_pages")
def test_a_program_is_told_of_a_fault_in_json(client: Client) -> None:
    answer = client.get("/api/v1/breaks/")
    assert answer.status_code == 500
    assert list(answer.json()) == ["detail"]
    assert SECRET not in answer.content.decode()


@pytest.mark.parametrize("where", ["/login/", "/api/v1/worklist/"])
def test_a_host_that_is_not_ours_is_told_so_and_nothing_else(client: Client, where: str) -> None:
    answer = client.get(where, headers={"host": "evil.example.org"})
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "cannot make anything of this request" in text
    assert "evil.example.org" not in text
    assert where.startswith("/api/") == (answer["Content-Type"] == "application/json")


@pytest.mark.django_db
@pytest.mark.parametrize(("page", "status"), [("/no/such/page/", 404), ("/api/v1/none/", 404)])
def test_what_is_not_there_is_told_in_the_form_that_was_asked_for(
    client: Client, page: str, status: int
) -> None:
    answer = client.get(page)
    assert answer.status_code == status
    assert page.startswith("/api/") == (answer["Content-Type"] == "application/json")


def test_who_may_not_is_told_in_json_at_the_api(rf: Any) -> None:
    answer = pages.refused(rf.get("/api/v1/worklist/"), PermissionError(""))
    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/json"


# -- headers -----------------------------------------------------------------------------------
HEADERS = {
    "Content-Security-Policy": csp.POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.mark.django_db
@pytest.mark.once
@pytest.mark.parametrize(
    "page", ["/login/", "/", "/health/live", "/api/schema/", "/api/v1/worklist/", "/none/"],
)  # fmt: skip
def test_every_answer_has_the_headers_that_keep_browsers_careful(client: Client, page: str) -> None:
    answer = client.get(page)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_no_script_style_or_frame_of_anybody_else_is_allowed() -> None:
    rules = dict(rule.split(" ", 1) for rule in csp.POLICY.split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert set(" ".join(rules.values()).split()) == {"'none'", "'self'"}


ASKED = """
import django, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
django.setup()
from django.test import Client
answer = Client().get("/login/", secure=True)
print(answer.headers["Strict-Transport-Security"])
print(answer.cookies["csrftoken"]["secure"])
print(Client().get("/login/").status_code)
from django.conf import settings
print(settings.SESSION_COOKIE_SECURE, settings.DEBUG)
"""


def test_behind_tls_browsers_are_told_to_stay_there_and_cookies_travel_nowhere_else(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASKED],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={"HUB_STATE_DIR": str(tmp_path), "HUB_HTTPS": "on", "PATH": "/usr/bin:/bin",
             "HUB_ALLOWED_HOSTS": "testserver"},
    )  # fmt: skip
    assert done.stdout.split("\n")[:4] == [
        "max-age=31536000; includeSubDomains; preload", "True", "301", "True False"
    ], done.stderr  # fmt: skip
