"""In charge of sending instances to a node by C-STORE, over an association that may stay open."""

import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydicom.uid import UID
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from hub.dicom.association import (
    AssociationRefused,
    Caller,
    Peer,
    Unreachable,
)
from hub.dicom.calling import Ended, StoreAssociation
from hub.dicom.commands import Response
from hub.dicom.file_meta import FileMeta, read_file_meta
from hub.dicom.wire import WireSilent

# PS3.8 9.3.2.2: context ids are the odd numbers of one byte.
_MAXIMUM_CONTEXTS = 128
_SUCCESS = 0x0000
# PS3.7 C: stored, with a remark. 0xBxxx are the storage service's own (PS3.4 B.2.3).
_GENERAL_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})
_SOP_CLASS_NOT_SUPPORTED = 0x0122
_ENDED = "the node ended the association"
_NO_REASON = 0x02
# Results of a presentation context (PS3.8 9.3.3.2).
_REFUSALS = {
    0x01: "the node does not want {sop_class}",
    _NO_REASON: "the node does not take {sop_class} in {syntax}, and gives no reason",
    0x03: "the node does not take {sop_class}",
    0x04: "the node does not take {sop_class} in {syntax}",
}

Context = tuple[str, str]


class NotSendable(ValueError):  # noqa: N818 (named by what failed)
    """One of the files is no Part 10 file that says its class, instance and transfer syntax."""


class StoreInterrupted(ConnectionError):  # noqa: N818 (named by what failed)
    """The association broke; `outcomes` are the instances whose status had come by then.

    The instance under way may or may not have arrived: send it and the rest again. `has_ended`
    where the node hung up, which it may have done before anything was sent.
    """

    def __init__(
        self, outcomes: Sequence["StoreOutcome"], why: str, *, has_ended: bool = False
    ) -> None:
        super().__init__(f"{why}, after {len(outcomes)} instances")
        self.outcomes = tuple(outcomes)
        self.why = why
        self.has_ended = has_ended


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What the node said of one instance: its C-STORE status (PS3.4 B.2.3) and that in words."""

    sop_instance_uid: str
    status: int
    is_success: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Sending:
    number: int
    path: Path
    meta: FileMeta

    @property
    def context(self) -> Context:
        return self.meta.sop_class_uid, self.meta.transfer_syntax_uid


def store(
    peer: Peer,
    *,
    calling_ae_title: str,
    files: Sequence[Path | bytes],
    timeout_seconds: float = 30.0,
    connect_timeout_seconds: float = 5.0,
) -> list[StoreOutcome]:
    """Send files as `StoreConnection.store` does, and release the association."""
    caller = Caller(calling_ae_title, timeout_seconds, connect_timeout_seconds)
    with StoreConnection(peer, caller) as connection:
        return connection.store(files)


class StoreConnection:
    """One caller's way to a node: associates at the first call, and stays associated.

    Safe to hand from thread to thread; one sends at a time.
    """

    def __init__(self, peer: Peer, caller: Caller) -> None:
        self._peer = peer
        self._caller = caller
        self._lock = threading.Lock()
        self._association: StoreAssociation | None = None
        self._accepted: frozenset[Context] = frozenset()
        self._results: dict[Context, int | None] = {}

    def store(self, files: Sequence[Path | bytes]) -> list[StoreOutcome]:
        """Send Part 10 files, give the outcome of each, in order (PS3.4 B, PS3.7 9.1.1).

        The SOP Classes and transfer syntaxes of the files are proposed, and those that are in use
        already; no others. A class that the node refuses is the outcome of its files, and no
        obstacle to the others. The caller's `timeout_seconds` is for each status.

        An association that the node ended since the last call is made anew, also where that shows
        only when the first instance is sent: the node may then have it, and gets it once more.

        Raises NotSendable before anything is sent; Unreachable or AssociationRefused when nothing
        can have arrived, else StoreInterrupted.
        """
        outcomes: dict[int, StoreOutcome] = {}
        with self._lock, _folder_for(files) as folder:
            sendings = [_sending(n, content, folder) for n, content in enumerate(files)]
            try:
                for number, batch in enumerate(_batches(sendings)):
                    if number:
                        self._hang_up()
                    self._store_batch(batch, outcomes)
            except BaseException:
                self._hang_up()
                raise
        return _in_order(outcomes)

    def close(self) -> None:
        """Release the association; a later call makes another."""
        with self._lock:
            self._hang_up()

    def _store_batch(self, batch: Sequence[_Sending], outcomes: dict[int, StoreOutcome]) -> None:
        known = len(outcomes)
        was_kept = self._is_open_for({sending.context for sending in batch})
        try:
            self._store_once(batch, outcomes)
        except StoreInterrupted as error:
            if not (was_kept and error.has_ended and len(outcomes) == known):
                raise
            self._hang_up()
            try:
                self._store_once(batch, outcomes)
            except (Unreachable, AssociationRefused) as now:
                # Not as if nothing had been sent: the first time something was.
                raise StoreInterrupted(_in_order(outcomes), str(now)) from now

    def _store_once(self, batch: Sequence[_Sending], outcomes: dict[int, StoreOutcome]) -> None:
        wanted = dict.fromkeys(sending.context for sending in batch)
        if not self._is_open_for(wanted):
            try:
                self._associate(wanted)
            except (Unreachable, AssociationRefused) as error:
                if outcomes:
                    raise StoreInterrupted(_in_order(outcomes), str(error)) from error
                raise
        for sending in batch:
            if sending.context in self._accepted:
                outcomes[sending.number] = self._send(sending, outcomes)
            else:
                outcomes[sending.number] = _refused(sending, self._results)

    def _is_open_for(self, wanted: Iterable[Context]) -> bool:
        """Whether the association stands and takes all of these; a refusal is always asked anew."""
        association = self._association
        is_open = association is not None and association.is_established
        return is_open and self._accepted.issuperset(wanted)

    def _associate(self, wanted: Iterable[Context]) -> None:
        # What is in use stays in use, or two algorithms in turn would mean an association each.
        proposed = list(dict.fromkeys([*wanted, *self._accepted]))[:_MAXIMUM_CONTEXTS]
        self._hang_up()
        association = StoreAssociation(self._peer, self._caller, proposed)
        # Not those it speaks of: dcmtk leaves a class it does not know out of its answer.
        self._accepted, self._results = association.accepted, association.results
        if self._accepted:
            self._association = association
        else:
            association.release()

    def _hang_up(self) -> None:
        association, self._association = self._association, None
        self._accepted, self._results = frozenset(), {}
        if association is not None:
            association.release()

    def _send(self, sending: _Sending, outcomes: dict[int, StoreOutcome]) -> StoreOutcome:
        assert self._association is not None
        limit = self._caller.timeout_seconds
        started = time.monotonic()
        try:
            answer = self._association.store(sending.path, sending.meta)
        except (Ended, WireSilent) as error:
            is_late = time.monotonic() - started >= limit
            why = f"no status in {limit:g} s" if is_late else _ENDED
            raise StoreInterrupted(_in_order(outcomes), why, has_ended=not is_late) from error
        return StoreOutcome(
            sop_instance_uid=sending.meta.sop_instance_uid,
            status=answer.status,
            is_success=_is_stored(answer.status),
            text=_in_words(answer),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextmanager
def _folder_for(files: Sequence[Path | bytes]) -> Iterator[Path]:
    """Where what is in memory lies while it is sent; made only if something is."""
    if all(isinstance(content, Path) for content in files):
        yield Path()
        return
    with tempfile.TemporaryDirectory(prefix="store-") as folder:
        yield Path(folder)


def _sending(number: int, content: Path | bytes, folder: Path) -> _Sending:
    path = content if isinstance(content, Path) else folder / f"{number}.dcm"
    if isinstance(content, bytes):
        path.write_bytes(content)
    with path.open("rb") as file:
        meta = read_file_meta(file)
    if not (meta.sop_class_uid and meta.sop_instance_uid and meta.transfer_syntax_uid):
        raise NotSendable(f"file {number + 1} does not say its class, instance, transfer syntax")
    return _Sending(number, path, meta)


def _batches(sendings: Sequence[_Sending]) -> Iterator[list[_Sending]]:
    """Part the files so that no association needs more contexts than there are ids."""
    contexts = list(dict.fromkeys(sending.context for sending in sendings))
    for start in range(0, len(contexts), _MAXIMUM_CONTEXTS):
        chosen = set(contexts[start : start + _MAXIMUM_CONTEXTS])
        yield [sending for sending in sendings if sending.context in chosen]


def _is_stored(status: int) -> bool:
    return status == _SUCCESS or status in _GENERAL_WARNINGS or status >> 12 == 0xB


def _in_words(answer: Response) -> str:
    if answer.status == _SUCCESS:
        return ""
    _, known = STORAGE_SERVICE_CLASS_STATUS.get(answer.status, ("", ""))
    meaning = known or "a status that C-STORE does not have"
    return f"{meaning}: {answer.error_comment}" if answer.error_comment else meaning


def _refused(sending: _Sending, results: dict[Context, int | None]) -> StoreOutcome:
    sop_class, syntax = (UID(uid).name for uid in sending.context)
    text = _REFUSALS.get(results.get(sending.context) or _NO_REASON, _REFUSALS[_NO_REASON])
    return StoreOutcome(
        sop_instance_uid=sending.meta.sop_instance_uid,
        status=_SOP_CLASS_NOT_SUPPORTED,
        is_success=False,
        text=text.format(sop_class=sop_class, syntax=syntax),
    )


def _in_order(outcomes: dict[int, StoreOutcome]) -> list[StoreOutcome]:
    return [outcomes[number] for number in sorted(outcomes)]
