"""`manage.py storage`: whether instances can be kept where HUB_STORAGE_URL says, and what waits."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.dicom.object_store import NotInStore, StoreAway
from routing import trying_storage, uploading


class Command(BaseCommand):
    """Look at the place of instances; with --upload bring what waits on this host."""

    help = "Check that HUB_STORAGE_URL can be written and read, and tell what waits to be brought."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to bring what waits."""
        parser.add_argument(
            "--upload", action="store_true",
            help="bring all that this host has to the store, and end when nothing is left",
        )  # fmt: skip

    def handle(self, *_args: Any, **options: Any) -> None:
        """Each line passes, or the command ends with what to do."""
        try:
            self.stdout.write(trying_storage.folder())
            there = trying_storage.store()
            if not there:
                self.stdout.write("no object store: instances stay in this folder")
                return
            self.stdout.write(there)
            if options["upload"]:
                self.stdout.write(f"brought: {uploading.carry_all()} files")
        except (trying_storage.StorageRefused, StoreAway, NotInStore) as fault:
            raise CommandError(str(fault)) from fault
        count, seconds = uploading.backlog()
        self.stdout.write(f"not in the store yet: {count} files, the oldest for {seconds:.0f} s")
