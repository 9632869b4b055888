"""De-identified copies of instances, made when they are asked for or ahead of it.

What will most likely be asked for is copied while its study still arrives, when nobody waits. Such
copies are bytes on the hub's own disk, where no algorithm reaches: a Workitem that is entitled
takes them, and what nobody takes is thrown away. They lie in a folder named by all that they were
made with, so that one made with other names of the patient, or for other needs, is never taken.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from django.utils.crypto import salted_hmac

from hub import keys
from hub.dicom.deidentify import (
    ALLOW_BURNED_IN,
    DeidentificationFailed,
    Pseudonymiser,
    deidentify_file,
)
from routing.models import Instance, Study
from routing.places import prepared_root, spool
from routing.surviving import prior_ids
from vendors.manifest import Manifest

# What an earlier hub made ahead may be made by rules that are no longer good enough.
_STARTED_AT = time.time()
# Written down after so many: a Workitem that is entitled meanwhile takes them.
_AT_ONCE = 20


class Copied(NamedTuple):
    """What a copy is called; ``other_uids`` are the originals of all others that were replaced."""

    series_instance_uid: str
    sop_instance_uid: str
    instance_number: int | None
    other_uids: Sequence[str]


class Copier:
    """Makes the copies of one study that one algorithm version gets. Safe to use from threads."""

    def __init__(self, study: Study, manifest: Manifest) -> None:
        self.pseudonymiser = pseudonymiser_of(study)
        self._options = frozenset({ALLOW_BURNED_IN} if manifest.needs.allow_burned_in else ())
        made_with = (
            manifest.algorithm, manifest.version, *sorted(self._options),
            *self.pseudonymiser.also_identifying,
        )  # fmt: skip
        # A keyed hash: it tells nothing of the patient's names.
        self.folder = prepared_root() / self.pseudonymiser.uid(json.dumps(made_with))

    def copy(self, instance: Instance, target: Path) -> Copied:
        """Write the copy of an instance; raises DeidentificationFailed."""
        made = deidentify_file(
            spool().fetched(instance.key), target,
            pseudonymiser=self.pseudonymiser, options=self._options,
        )  # fmt: skip
        return Copied(
            made.series_instance_uid, made.sop_instance_uid, made.instance_number,
            sorted(made.other_uids),
        )  # fmt: skip

    def copy_ahead(self, instances: Sequence[Instance]) -> int:
        """Copy those that were not copied ahead yet, unless somebody else is at it; how many.

        Ends early where the copies are taken meanwhile, or where one cannot be made: whoever needs
        it will find out why. Raises OSError.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(self.folder) as is_alone:
            if not is_alone:
                return 0
            there = _read(self.folder)
            missing = [one for one in instances if one.pk not in there]
            for start in range(0, len(missing), _AT_ONCE):
                few = missing[start : start + _AT_ONCE]
                try:
                    made = {one.pk: self.copy(one, _place(self.folder, one)) for one in few}
                except DeidentificationFailed:
                    return start
                _write(self.folder, made)
            return len(missing)

    def take(self, target: Path) -> Prepared:
        """Move what was copied ahead to ``target``, which is not there yet, and nobody else's."""
        try:
            self.folder.rename(target)
        except FileNotFoundError:
            return Prepared(target, {})
        return Prepared(target, _read(target))


class Prepared:
    """Copies that were made ahead, and are now their taker's alone."""

    def __init__(self, folder: Path, copied: Mapping[int, Copied]) -> None:
        self._folder = folder
        self._copied = dict(copied)

    def move(self, instance: Instance, target: Path) -> Copied | None:
        """Move the copy of an instance to its place; None where there is none."""
        copied = self._copied.pop(instance.pk, None)
        # An original that is lost is to be told, whatever was made of it before.
        if copied is None or not spool().fetched(instance.key).exists():
            return None
        try:
            os.rename(_place(self._folder, instance), target)
        except FileNotFoundError:  # tidied away
            return None
        return copied

    def discard(self) -> None:
        """Throw away the copies that were not moved; the folder goes with that of its taker."""
        if self._copied:
            shutil.rmtree(self._folder, ignore_errors=True)


def pseudonymiser_of(study: Study) -> Pseudonymiser:
    """The hub's own pseudonyms for one study of one site; nobody else can turn them back."""
    key = salted_hmac(
        "routing.staging.pseudonym", "key", secret=keys.identity(), algorithm="sha256"
    ).digest()
    # Free text in a header may name the patient as the order does.
    ordered = study.order.patient if study.order else {}
    prior = sorted(prior_ids(study))
    names = [ordered.get("name", ""), *(one["value"] for one in ordered.get("identifiers", []))]
    return Pseudonymiser(
        key,
        scope=f"{study.site.code}/{study.study_instance_uid}",
        also_identifying=[name for name in names if name],
        patient_ids=[study.patient_id, *prior] if prior else [],
    )


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether nobody else fills the folder; a process that dies lets go of it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _place(folder: Path, instance: Instance) -> Path:
    return folder / f"{instance.pk}.dcm"


def _write(folder: Path, made: Mapping[int, Copied]) -> None:
    """Say what was copied, once the copies are whole."""
    part = folder / f"{min(made)}.part"
    part.write_text(json.dumps(made))
    part.rename(part.with_suffix(".json"))


def _read(folder: Path) -> dict[int, Copied]:
    return {
        int(pk): Copied(*copied)
        for path in folder.glob("*.json")
        if path.stat().st_mtime >= _STARTED_AT
        for pk, copied in json.loads(path.read_text()).items()
    }
