"""`manage.py backup FOLDER`: makes a backup of database and spool while the hub runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.management import operator, usable_database
from routing.backups import making
from routing.backups.manifest import BackupRefused
from routing.backups.verifying import verify


class Command(BaseCommand):
    """Back up, or look whether a backup is sound; exit code 1 where it is not whole."""

    help = "Back up database and spool into a new folder below FOLDER, while the hub runs."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to, and how."""
        parser.add_argument("folder", type=Path, help="with --verify: the backup itself")
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument(
            "--verify", action="store_true", help="read a backup and hold it against its sums"
        )
        instead.add_argument(
            "--full", action="store_true", help="copy all, also what the one before has"
        )
        parser.add_argument(
            "--keep", type=int, metavar="N", help="then remove all but the newest N backups"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Say what was done, or raise CommandError with every reason."""
        if options["keep"] is not None and (options["keep"] < 1 or options["verify"]):
            raise CommandError("--keep: expected at least 1, and no --verify")
        try:
            if options["verify"]:
                told = verify(options["folder"])
                self.stdout.write(f"{told.name} is sound: {told.files} files, {told.size} bytes")
            else:
                with usable_database():
                    self._make(options)
        except BackupRefused as fault:
            raise CommandError(str(fault)) from fault

    def _make(self, options: dict[str, Any]) -> None:
        made = making.make(options["folder"], is_full=options["full"], actor=operator())
        told = made.manifest
        self.stdout.write(
            f"{made.folder}: {told.files} files, {told.size} bytes; of these "
            f"{made.copied} files, {made.copied_size} bytes are new"
        )
        self.stderr.write(
            "It is not encrypted: patients' images and records, and the hashes of passwords, are "
            "in it in clear. HUB_SECRET_KEY is not in it: keep it elsewhere."
        )
        if told.missing:
            # Before older ones are removed: one of them may have what is missing here.
            raise CommandError(
                f"{told.missing} files that rows refer to are missing or damaged in the spool "
                f"itself ({made.folder / 'missing.txt'}); all else was backed up"
            )
        if options["keep"]:
            for folder in making.remove_older(options["folder"], keep=options["keep"]):
                self.stdout.write(f"removed {folder}")
