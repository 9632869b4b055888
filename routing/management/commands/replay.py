"""`manage.py replay`: start a failed Workitem or a dead letter again."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.management import operator, usable_database
from routing.models import Delivery, Workitem
from routing.pathway import MoveRefused
from routing.replay import replay_delivery, replay_workitem


class Command(BaseCommand):
    """Replay what `manage.py deadletters` lists."""

    help = "Replay a delivery (number) or a Workitem (uid); --all replays every dead letter."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """What to replay."""
        parser.add_argument("what", nargs="*", help="delivery number or Workitem uid")
        parser.add_argument("--all", action="store_true", help="every dead letter")
        parser.add_argument("--node", default="", help="with --all: only those to this node")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Replay each; the first that may not be is said, those before it stand."""
        if not (options["what"] or options["all"]):
            raise CommandError("expected delivery numbers, Workitem uids, or --all")
        with usable_database():
            self._replay(options)

    def _replay(self, options: dict[str, Any]) -> None:
        count = 0
        try:
            for row in self._rows(options):
                replay = replay_delivery if isinstance(row, Delivery) else replay_workitem
                replay(row, by=operator())  # type: ignore[arg-type]
                count += 1
        except MoveRefused as fault:
            raise CommandError(f"not replayed: {fault}") from fault
        self.stdout.write(f"{count} replayed")

    def _rows(self, options: dict[str, Any]) -> Iterable[Delivery | Workitem]:
        if options["all"]:
            dead = Delivery.objects.filter(state=Delivery.State.DEAD)
            return dead.filter(node__code=options["node"]) if options["node"] else dead
        return [self._row(what) for what in options["what"]]

    def _row(self, what: str) -> Delivery | Workitem:
        found: Delivery | Workitem | None
        if what.isdigit():
            found = Delivery.objects.filter(pk=int(what)).first()
        else:
            try:
                found = Workitem.objects.filter(uid=uuid.UUID(what)).first()
            except ValueError:
                found = None
        if found is None:
            raise CommandError(f"{what}: expected a delivery number or a Workitem uid")
        return found
