"""The Celery application; tasks live in routing.tasks, one line for each step."""

import os

from celery import Celery

from hub import queue_folder

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

queue_folder.register()
app = Celery("hub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
