"""What must be so once studies of a hub have come to rest in an object store."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pydicom

from tests.fakes.s3 import Bucket
from tests.fakes.waiting import until
from tests.faults.trusts import Sent, Trusts

ON_ITS_WAY = "SELECT count(*) FROM routing_kept WHERE stored_at IS NULL"
ROWS = "SELECT count(*) FROM routing_instance"


def assert_at_rest(
    trusts: Trusts, store: Bucket, sent: Sequence[Sent], *, prefix: str = "site"
) -> None:
    """Each instance lies in the store once, as it was sent, with a row; none waits on a disk."""
    hub, count = trusts.hub, sum(len(one.scan.files) for one in sent)

    def instances() -> set[str]:
        return {key for key in held(store, prefix) if key.startswith("instances/")}

    until(lambda: hub.rows(ROWS) == [(count,)], f"{count} instances have rows")
    until(lambda: len(instances()) == count, f"{count} instances are in the store", seconds=180)
    until(lambda: hub.rows(ON_ITS_WAY) == [(0,)], "nothing is on its way", seconds=60)
    assert instances() == {key for (key,) in hub.rows("SELECT key FROM routing_instance")}
    assert {key for (key,) in hub.rows("SELECT key FROM routing_result")} <= held(store, prefix)
    until(lambda: not _marked(hub.state / "spool"), "no file is marked any more")
    originals = [pydicom.dcmread(path) for one in sent for path in one.scan.files[:2]]
    by_uid = {one.SOPInstanceUID: one for one in originals}
    for key in instances():
        found = pydicom.dcmread(io.BytesIO(store.content(f"{prefix}/{key}")))
        assert by_uid.pop(found.SOPInstanceUID, found) == found, key
    assert by_uid == {}


def _marked(spool: Path) -> list[str]:
    """The files here that are still to go out; whoever died may leave a mark without a file."""
    keys = []
    for mark in (spool / "outgoing").iterdir():
        with suppress(FileNotFoundError):  # it went meanwhile
            keys += [mark.read_text()] if "." not in mark.name else []
    return [key for key in keys if (spool / key).exists()]


def held(store: Bucket, prefix: str = "site") -> set[str]:
    """The keys below a prefix, without it."""
    return {key.removeprefix(f"{prefix}/") for key in store.held() if key.startswith(f"{prefix}/")}
