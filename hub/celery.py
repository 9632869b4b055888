"""The Celery application; tasks live in routing.tasks, one line for each step."""

import os
from typing import Any

from celery import Celery
from celery import Task as CeleryTask
from django.db import close_old_connections

from hub import queue_folder

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")


class Task(CeleryTask):  # type: ignore[misc]
    """Every task: leaves its thread's connections to the next one, but those that broke or are old.

    As Django does around a request. Celery's own way (DjangoWorkerFixup) would close every one:
    CELERY_DB_REUSE_MAX keeps it from that.
    """

    def __call__(self, *words: Any, **options: Any) -> Any:
        """Do the work."""
        try:
            return super().__call__(*words, **options)
        finally:
            close_old_connections()


queue_folder.register()
app = Celery("hub", task_cls=Task)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
