"""`manage.py restore BACKUP`: puts a backup back in an empty place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.management import operator, usable_database
from routing.backups.manifest import BackupRefused
from routing.backups.restoring import restore


class Command(BaseCommand):
    """Restore into an empty database and an empty spool, before the hub is started."""

    help = "Restore a backup into an empty database and an empty spool; then start the hub."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Which backup."""
        parser.add_argument("backup", type=Path, help="such as /backups/20261125T034500Z")
        parser.add_argument(
            "--accept-another-key", action="store_true",
            help="also where HUB_SECRET_KEY is not the one it was made under, and is lost",
        )  # fmt: skip

    def handle(self, *_args: Any, **options: Any) -> None:
        """Restore, or raise CommandError with every reason; then nothing was written."""
        try:
            with usable_database():
                told = restore(
                    options["backup"], accept_another_key=options["accept_another_key"],
                    actor=operator(),
                )  # fmt: skip
        except BackupRefused as fault:
            raise CommandError(str(fault)) from fault
        self.stdout.write(
            f"restored {told.name}, made at {told.made_at}: {told.files} files, {told.size} bytes"
        )
        if told.missing:
            self.stderr.write(f"{told.missing} files were missing when it was made (missing.txt)")
        self.stdout.write("start the hub now: what was under way goes on")
