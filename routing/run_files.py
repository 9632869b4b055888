"""Gives a run that is elsewhere its input, and takes its output, for this Workitem and run alone.

Whoever stages, whoever serves and whoever collects may be three hosts: what passes between them is
a parcel (hub/dicom/parcels.py) and the row RunFiles. Who may have what is decided in admitting.py.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub import audit
from hub.dicom.durable import Part
from hub.phrases import Phrase, phrase, render
from routing import lease, nudges, run_tokens
from routing.models import RunFiles, Workitem
from routing.places import parcels
from vendors.performers.base import CARRIED, Progress, Run
from vendors.performers.carrier import Bounds, Unfit, pack, unpack

# headers, padding and names of as many files as may be
_AROUND_FILES = 32 * 1024**2
_LOOK_EVERY = 64 * 1024**2
# a study of ours may have more instances than an output may have files
_INPUT = Bounds(1 << 42, 1 << 20)


class NoOutput(Exception):
    """There is nothing to collect; ``why`` says what was brought instead."""

    def __init__(self, why: Phrase) -> None:
        super().__init__(why.text)
        self.why = why


class OutputTooLarge(Exception):
    """More comes than a run may bring."""


class NoRoomForOutput(Exception):
    """The disk is too full to take it now."""


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """How an output was received: an HTTP status, and a sentence."""

    status: int
    detail: str


# -- the way in ------------------------------------------------------------------------------------
def offer(workitem: Workitem, run: Run, staged: Path, *, other_uids: list[str]) -> Run:
    """Pack the staged input for whoever fetches it, and take it off this disk.

    Raises OSError, and Overtaken where the lease has gone: then whoever took over offers its own.
    """
    part = parcels().open_part()
    try:
        size, digest = 0, hashlib.sha256()
        for piece in pack(str(staged), _INPUT):
            part.write(piece)
            digest.update(piece)
            size += len(piece)
        sha256 = digest.hexdigest()
        key = f"{workitem.uid.hex}/{workitem.runs}-input-{sha256[:16]}.tar"
        parcels().keep(key, part, sha256)
    finally:
        part.discard()
    with lease.locked(workitem):
        # all anew: a run that is staged again was not submitted, or is not known to have been
        RunFiles.objects.update_or_create(
            workitem=workitem, run=workitem.runs,
            defaults={"input_key": key, "input_sha256": sha256, "input_bytes": size,
                      "other_uids": other_uids, "asked_at": None},
        )  # fmt: skip
    shutil.rmtree(staged)
    staged.mkdir()
    transfer = run_tokens.transfer_of(workitem, run.spec, input_bytes=size)
    return dataclasses.replace(run, transfer=transfer)


def pieces_of_input(row: RunFiles, start: int) -> Iterator[bytes]:
    """The input from a byte on. Raises LookupError."""
    with parcels().open(row.input_key, start) as file:
        while piece := file.read(1 << 20):
            yield piece


# -- the way out -----------------------------------------------------------------------------------
class Landing:
    """An output while it arrives: at most so many bytes go to disk, and nobody sees it yet."""

    def __init__(self) -> None:
        self._part: Part = parcels().open_part()
        self._digest = hashlib.sha256()
        self.size, self._looked_at = 0, -_LOOK_EVERY

    def write(self, piece: bytes) -> None:
        """Raises OutputTooLarge, NoRoomForOutput, OSError."""
        self.size += len(piece)
        if self.size > settings.HUB_OUTPUT_BYTES + _AROUND_FILES:
            raise OutputTooLarge
        if self.size >= self._looked_at + _LOOK_EVERY:
            self._looked_at = self.size
            if parcels().free_bytes() < settings.HUB_MINIMUM_FREE_BYTES + 2 * _LOOK_EVERY:
                raise NoRoomForOutput
        self._part.write(piece)
        self._digest.update(piece)

    def require_fit(self) -> None:
        """Look at all of it without laying anything out; raises Unfit."""
        with closing(self._part.open()) as file:
            unpack(file.read, None, Bounds(settings.HUB_OUTPUT_BYTES))

    def keep(self, key: str) -> None:
        """Make it a parcel."""
        parcels().keep(key, self._part, self.sha256)

    def discard(self) -> None:
        """Leave nothing of it, unless it was kept."""
        self._part.discard()

    @property
    def sha256(self) -> str:
        """Of all bytes that came, in hexadecimal."""
        return self._digest.hexdigest()


def take(row: RunFiles, landing: Landing) -> Taken:
    """Receive an output that has come to its end: the first fit one counts, the same again too."""
    try:
        landing.require_fit()
    except Unfit as fault:
        return refuse(row, str(fault))
    row.refresh_from_db()
    if row.output_sha256:
        return _again(row, landing.sha256)
    workitem = row.workitem
    key = f"{workitem.uid.hex}/{row.run}-output-{landing.sha256}.tar"
    landing.keep(key)
    # Only now can it be seen, whole; one of two that come at once is the first. No join: Django
    # would put all of the condition below it, and PostgreSQL looks again only at what stands above.
    waiting = Workitem.objects.filter(state="dispatched", runs=row.run)
    is_first = RunFiles.objects.filter(
        pk=row.pk, output_sha256="", workitem__in=waiting
    ).update(
        output_key=key, output_sha256=landing.sha256, output_bytes=landing.size,
        output_at=timezone.now(), refused={},
    )  # fmt: skip
    if not is_first:
        row.refresh_from_db()
        return _again(row, landing.sha256) if row.output_sha256 else Taken(404, "Not found.")
    _nudge(row)
    return Taken(201, "received")


def refuse(row: RunFiles, said: str) -> Taken:
    """Keep why an output is not taken, for `collect` and for whoever looks."""
    why = phrase(_("the output was refused: %(why)s"), why=said)
    site = row.workitem.study.site
    RunFiles.objects.filter(pk=row.pk, output_sha256="").update(refused=why.stored())
    audit.record("run_output.refused", actor="run", site=site,
                 subject=str(row.workitem.uid), why=said)  # fmt: skip
    return Taken(422, said)


def _again(row: RunFiles, sha256: str) -> Taken:
    if row.output_sha256 == sha256:
        return Taken(200, "received already")
    return Taken(409, "another output was received first")


def _nudge(row: RunFiles) -> None:
    Workitem.objects.filter(pk=row.workitem_id, state="dispatched", runs=row.run).update(
        due_at=timezone.now()
    )
    nudges.collect(row.workitem_id)


# -- for `collect` ---------------------------------------------------------------------------------
def lay_out(workitem: Workitem, folder: Path) -> None:
    """Put what was brought into a folder that is not there yet; raises NoOutput."""
    row = _row(workitem)
    if row is None or not row.output_sha256:
        raise NoOutput(_why_none(row))
    folder.mkdir(parents=True, mode=0o700)
    try:
        with parcels().open(row.output_key) as file:
            unpack(file.read, str(folder), Bounds(settings.HUB_OUTPUT_BYTES))
    except (LookupError, Unfit) as fault:
        words = _("the output cannot be read again: %(why)s")
        raise NoOutput(phrase(words, why=str(fault))) from fault


def judged(workitem: Workitem, progress: Progress) -> Progress:
    """What a performer says of a run, with the reason for which its output was refused."""
    if progress.state != "failed" or workitem.version.declared.performer.kind not in CARRIED:
        return progress
    row = _row(workitem)
    if row is None or not row.refused or row.output_sha256:
        return progress
    return dataclasses.replace(progress, why=render(row.refused), is_retryable=False)


def other_uids(workitem: Workitem) -> list[str]:
    """The further original UIDs of the input, where another host staged it."""
    row = _row(workitem)
    return list(row.other_uids) if row else []


def discard(workitem: Workitem, *, number: int) -> None:
    """Take away the parcels of a Workitem's runs up to one."""
    if workitem.version.declared.performer.kind not in CARRIED:
        return
    for name in parcels().names(workitem.uid.hex):
        # those of a later run may be somebody's who has taken the Workitem over
        if int(name.partition("-")[0]) <= number:
            parcels().discard(workitem.uid.hex, name)


def _row(workitem: Workitem) -> RunFiles | None:
    return RunFiles.objects.filter(workitem=workitem, run=workitem.runs).first()


def _why_none(row: RunFiles | None) -> Phrase:
    if row is not None and row.refused:
        return phrase(row.refused["text"], **row.refused["args"])
    return phrase(_("the run ended without bringing its output"))
