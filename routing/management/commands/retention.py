"""`manage.py retention`: what will be deleted, where, and when."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from hub.management import usable_database
from hub.models import Site
from routing.retention import MOST_COUNTED, prospects


class Command(BaseCommand):
    """Tell what retention will delete; the worker does it, every ten minutes."""

    help = "Tell for each site and kind how much will be deleted now, and in the next seven days."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """One line for each site and kind that has a period."""
        with usable_database():
            found = prospects(Site.objects.all())
        for one in found:
            held = f", {_count(one.on_hold)} on legal hold" if one.on_hold else ""
            self.stdout.write(
                f"{one.site.code} {one.kind}: kept for {one.days} days; {_count(one.now)} go now, "
                f"{_count(one.soon)} within 7 days{held}"
            )
        if not found:
            self.stdout.write("nothing is ever deleted: no site has a retention")


def _count(number: int) -> str:
    return f"more than {MOST_COUNTED}" if number > MOST_COUNTED else str(number)
