"""`manage.py cluster check`: can the hub run algorithms in its cluster, and if not, what to do?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.management import usable_database
from routing import cluster_checking

_SIGNS = {"ok": "ok     ", "fails": "FAILS  ", "unseen": "unseen "}


class Command(BaseCommand):
    """Look at rights, policies, classes, capacity; with --probe also run a Job."""

    help = "Check the cluster of HUB_CLUSTER_NAMESPACE: each line passes, or says what to do."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, and how thoroughly."""
        parser.add_argument("action", choices=["check"])
        parser.add_argument(
            "--probe", action="store_true", help="also run a Job there that tries it all out"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each thing; exit code 1 where one fails."""
        failed = 0
        with usable_database():
            for what, state, says in cluster_checking.lines(with_probe=options["probe"]):
                failed += state == "fails"
                self.stdout.write(f"{_SIGNS[state]}{what}: {says}")
        if failed:
            raise CommandError(f"{failed} of these must be put right")
