"""In charge of calling other nodes as SCU: C-STORE, C-ECHO and C-FIND of a study."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import _config
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from hub.dicom.association import (
    AssociationRefused,
    Caller,
    NoContextAccepted,
    Peer,
    Unreachable,
    associated,
)
from hub.dicom.file_meta import FileMeta, read_file_meta

__all__ = [
    "AssociationRefused",
    "NotSendable",
    "OperationFailed",
    "Peer",
    "StoreInterrupted",
    "StoreOutcome",
    "StudyFound",
    "Unreachable",
    "echo",
    "find_study",
    "store",
]

# Files go out byte for byte, a piece at a time: what was validated is what arrives, and a large
# SEG is never decoded, encoded again, or held in memory.
_config.STORE_SEND_CHUNKED_DATASET = True
# The identifiers of a C-FIND are a patient's.
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False

_VERIFICATION = "1.2.840.10008.1.1"
_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
# PS3.8 9.3.2.2: context ids are the odd numbers of one byte.
_MAXIMUM_CONTEXTS = 128
_SUCCESS = 0x0000
_PENDING = frozenset({0xFF00, 0xFF01})
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


class NotSendable(ValueError):  # noqa: N818 (named by what failed)
    """One of the files is no Part 10 file that says its class, instance and transfer syntax."""


class StoreInterrupted(ConnectionError):  # noqa: N818 (named by what failed)
    """The association broke; `outcomes` are the instances whose status had come by then.

    The instance under way may or may not have arrived: send it and the rest again.
    """

    def __init__(self, outcomes: Sequence["StoreOutcome"], why: str) -> None:
        super().__init__(f"{why}, after {len(outcomes)} instances")
        self.outcomes = tuple(outcomes)
        self.why = why


class OperationFailed(Exception):  # noqa: N818 (named by what failed)
    """The node answered C-ECHO or C-FIND with a status other than success."""

    def __init__(self, operation: str, status: int, text: str) -> None:
        super().__init__(f"{operation} was answered with 0x{status:04X} {text}".rstrip())
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What the node said of one instance: its C-STORE status (PS3.4 B.2.3) and that in words."""

    sop_instance_uid: str
    status: int
    is_success: bool
    text: str


@dataclass(frozen=True, slots=True)
class StudyFound:
    """The node holds the study; the number is None where it does not tell it."""

    study_instance_uid: str
    number_of_study_related_instances: int | None


@dataclass(frozen=True, slots=True)
class _Sending:
    number: int
    path: Path
    meta: FileMeta

    @property
    def context(self) -> tuple[str, str]:
        return self.meta.sop_class_uid, self.meta.transfer_syntax_uid


def store(
    peer: Peer,
    *,
    calling_ae_title: str,
    files: Sequence[Path | bytes],
    timeout_seconds: float = 30.0,
    connect_timeout_seconds: float = 5.0,
) -> list[StoreOutcome]:
    """Send Part 10 files and give the outcome of each, in their order (PS3.4 B, PS3.7 9.1.1).

    Exactly the SOP Classes and transfer syntaxes of the files are proposed. A class that the node
    refuses is the outcome of its files, and no obstacle to the others. `timeout_seconds` is for
    each status, `connect_timeout_seconds` for the connection and for the association.

    Raises NotSendable before anything is sent; Unreachable or AssociationRefused when no status
    has come yet, else StoreInterrupted.
    """
    caller = Caller(calling_ae_title, timeout_seconds, connect_timeout_seconds)
    outcomes: dict[int, StoreOutcome] = {}
    with tempfile.TemporaryDirectory(prefix="store-") as folder:
        sendings = [_sending(n, content, Path(folder)) for n, content in enumerate(files)]
        for batch in _batches(sendings):
            try:
                _store_batch(peer, caller, batch, outcomes)
            except (Unreachable, AssociationRefused) as error:
                if outcomes:
                    raise StoreInterrupted(_in_order(outcomes), str(error)) from error
                raise
    return _in_order(outcomes)


def echo(
    peer: Peer,
    *,
    calling_ae_title: str,
    timeout_seconds: float = 30.0,
    connect_timeout_seconds: float = 5.0,
) -> None:
    """Verify that the node answers (PS3.4 A).

    Raises Unreachable, AssociationRefused, OperationFailed.
    """
    caller = Caller(calling_ae_title, timeout_seconds, connect_timeout_seconds)
    with _for_one_operation(peer, caller, "C-ECHO", _VERIFICATION) as association:
        _check("C-ECHO", association.send_c_echo(), peer)


def find_study(
    peer: Peer,
    *,
    calling_ae_title: str,
    study_instance_uid: str,
    timeout_seconds: float = 30.0,
    connect_timeout_seconds: float = 5.0,
) -> StudyFound | None:
    """Ask the node whether it holds a study, and how many instances (PS3.4 C, Study Root).

    Raises Unreachable, AssociationRefused, OperationFailed.
    """
    caller = Caller(calling_ae_title, timeout_seconds, connect_timeout_seconds)
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = study_instance_uid
    query.NumberOfStudyRelatedInstances = None
    found = None
    with _for_one_operation(peer, caller, "C-FIND", _STUDY_ROOT_FIND) as association:
        for status, match in association.send_c_find(query, _STUDY_ROOT_FIND):
            if status.get("Status") not in _PENDING:
                _check("C-FIND", status, peer)
            # Some archives answer with every study they have when they dislike a key.
            elif match is not None and match.get("StudyInstanceUID") == study_instance_uid:
                number = match.get("NumberOfStudyRelatedInstances")
                found = StudyFound(study_instance_uid, None if number is None else int(number))
    return found


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


def _store_batch(
    peer: Peer, caller: Caller, batch: Sequence[_Sending], outcomes: dict[int, StoreOutcome]
) -> None:
    contexts = [
        build_context(sop_class, syntax)
        for sop_class, syntax in dict.fromkeys(sending.context for sending in batch)
    ]
    try:
        with associated(peer, caller, contexts) as association:
            # Not the rejected ones: dcmtk leaves a class it does not know out of its answer.
            accepted = set(map(_context, association.accepted_contexts))
            results = _results(association.rejected_contexts)
            for sending in batch:
                if sending.context in accepted:
                    outcomes[sending.number] = _send(association, sending, caller, outcomes)
                else:
                    outcomes[sending.number] = _refused(sending, results)
    except NoContextAccepted as error:
        results = _results(error.contexts)
        outcomes.update({sending.number: _refused(sending, results) for sending in batch})


def _send(
    association: Association,
    sending: _Sending,
    caller: Caller,
    outcomes: dict[int, StoreOutcome],
) -> StoreOutcome:
    started = time.monotonic()
    # Message IDs are of 16 bits and start again; one is under way at a time.
    message_id = sending.number % 0xFFFF + 1
    try:
        answer = association.send_c_store(sending.path, msg_id=message_id)
    except RuntimeError as error:
        raise StoreInterrupted(_in_order(outcomes), "the association has ended") from error
    if "Status" not in answer:
        is_late = time.monotonic() - started >= caller.timeout_seconds
        why = f"no status in {caller.timeout_seconds:g} s" if is_late else _ENDED
        raise StoreInterrupted(_in_order(outcomes), why)
    status = int(answer.Status)
    return StoreOutcome(
        sop_instance_uid=sending.meta.sop_instance_uid,
        status=status,
        is_success=_is_stored(status),
        text=_in_words(answer),
    )


def _is_stored(status: int) -> bool:
    return status == _SUCCESS or status in _GENERAL_WARNINGS or status >> 12 == 0xB


def _in_words(answer: Dataset) -> str:
    status = int(answer.Status)
    if status == _SUCCESS:
        return ""
    _, known = STORAGE_SERVICE_CLASS_STATUS.get(status, ("", ""))
    meaning = known or "a status that C-STORE does not have"
    comment = str(answer.get("ErrorComment") or "").strip()
    return f"{meaning}: {comment}" if comment else meaning


def _context(context: PresentationContext) -> tuple[str, str]:
    return str(context.abstract_syntax), str(context.transfer_syntax[0])


def _results(contexts: Sequence[PresentationContext]) -> dict[tuple[str, str], int]:
    return {_context(context): context.result or _NO_REASON for context in contexts}


def _refused(sending: _Sending, results: dict[tuple[str, str], int]) -> StoreOutcome:
    sop_class, syntax = (UID(uid).name for uid in sending.context)
    result = results.get(sending.context, _NO_REASON)
    text = _REFUSALS.get(result, _REFUSALS[_NO_REASON])
    return StoreOutcome(
        sop_instance_uid=sending.meta.sop_instance_uid,
        status=_SOP_CLASS_NOT_SUPPORTED,
        is_success=False,
        text=text.format(sop_class=sop_class, syntax=syntax),
    )


def _in_order(outcomes: dict[int, StoreOutcome]) -> list[StoreOutcome]:
    return [outcomes[number] for number in sorted(outcomes)]


@contextmanager
def _for_one_operation(
    peer: Peer, caller: Caller, operation: str, sop_class_uid: str
) -> Iterator[Association]:
    contexts = [build_context(sop_class_uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])]
    try:
        with associated(peer, caller, contexts) as association:
            yield association
    except NoContextAccepted as error:
        raise OperationFailed(operation, _SOP_CLASS_NOT_SUPPORTED, str(error)) from error


def _check(operation: str, answer: Dataset, peer: Peer) -> None:
    if "Status" not in answer:
        raise Unreachable(peer.host, peer.port, f"gave no answer to {operation}")
    if answer.Status != _SUCCESS:
        comment = str(answer.get("ErrorComment") or "")
        raise OperationFailed(operation, int(answer.Status), comment)
