"""`manage.py storage`: whether instances can be kept where HUB_STORAGE_URL says, and what waits."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.dicom.object_store import NotInStore, ObjectStore, StoreAway
from hub.dicom.remote_spool import RemoteSpool
from routing import uploading
from routing.places import spool

_PROBE = "probe/manage-storage"


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
        place = spool()
        self.stdout.write(f"here: {place.root}, {place.free_bytes()} bytes free above the floor")
        if not isinstance(place, RemoteSpool):
            self.stdout.write("no object store: instances stay in this folder")
            return
        try:
            _probe(place.store)
            self.stdout.write("object store: a file was written, read, found the same and deleted")
            if options["upload"]:
                self.stdout.write(f"brought: {uploading.carry_all()} files")
        except (StoreAway, NotInStore) as fault:
            raise CommandError(
                f"{fault}: look at HUB_STORAGE_URL, at AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, and at what they may do in the bucket "
                "(PutObject, GetObject, DeleteObject, ListBucket)"
            ) from fault
        count, seconds = uploading.backlog()
        self.stdout.write(f"not in the store yet: {count} files, the oldest for {seconds:.0f} s")


def _probe(store: ObjectStore) -> None:
    content = b"written by manage.py storage"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe"
        path.write_bytes(content)
        store.put_file(_PROBE, path, hashlib.sha256(content).hexdigest())
    store.fetch(_PROBE, lambda piece: None)
    if _PROBE not in set(store.keys("probe/")):
        raise StoreAway("what was written is not listed")
    store.delete(_PROBE)
