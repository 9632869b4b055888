"""`manage.py deadletters`: what could not be told to whom, and why."""

from typing import Any

from django.core.management.base import BaseCommand

from hub.management import usable_database
from hub.phrases import render
from routing.models import Delivery, Workitem


class Command(BaseCommand):
    """List dead letters and failed Workitems, each with the means to replay it."""

    help = "List dead letters and failed Workitems; `manage.py replay` starts them again."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """One line each; nothing to show is said plainly."""
        with usable_database():
            self._list()

    def _list(self) -> None:
        dead = Delivery.objects.filter(state=Delivery.State.DEAD).select_related(
            "node", "workitem__study__site"
        )
        for delivery in dead:
            study = delivery.workitem.study
            self.stdout.write(
                f"delivery {delivery.pk}  {delivery.kind} to {delivery.node.code}  "
                f"study {study.study_instance_uid} ({study.site.code})  "
                f"{render(delivery.last_error)}"
            )
        failed = Workitem.objects.filter(state=Workitem.State.FAILED).select_related(
            "study__site", "version__algorithm"
        )
        for item in failed:
            self.stdout.write(
                f"workitem {item.uid}  {item.version}  study "
                f"{item.study.study_instance_uid} ({item.study.site.code})  {render(item.why)}"
            )
        if not dead and not failed:
            self.stdout.write("no dead letters, no failed workitems")
