"""The Celery application; tasks live in routing.tasks, one line for each step."""

import os
from typing import Any

from celery import Celery, signals
from django.db import close_old_connections

from hub import queue_folder

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

queue_folder.register()
app = Celery("hub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def _look_after_connections(**_said: Any) -> None:
    """Close those that broke or are too old, as Django does around a request.

    Celery's own (DjangoWorkerFixup) would close every one: CELERY_DB_REUSE_MAX keeps it from that.
    """
    close_old_connections()


signals.task_prerun.connect(_look_after_connections)
signals.task_postrun.connect(_look_after_connections)
