"""In charge of calling other nodes as SCU: C-STORE, C-ECHO and C-FIND of a study."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import _config
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from hub.dicom.association import (
    AssociationRefused,
    Caller,
    NoContextAccepted,
    Peer,
    Unreachable,
    associated,
)
from hub.dicom.storing import (
    NotSendable,
    StoreConnection,
    StoreInterrupted,
    StoreOutcome,
    store,
)

__all__ = [
    "AssociationRefused",
    "Caller",
    "NotSendable",
    "OperationFailed",
    "Peer",
    "StoreConnection",
    "StoreInterrupted",
    "StoreOutcome",
    "StudyFound",
    "Unreachable",
    "echo",
    "find_study",
    "store",
]

# The identifiers of a C-FIND are a patient's.
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False

_VERIFICATION = "1.2.840.10008.1.1"
_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_SUCCESS = 0x0000
_PENDING = frozenset({0xFF00, 0xFF01})
_SOP_CLASS_NOT_SUPPORTED = 0x0122


class OperationFailed(Exception):  # noqa: N818 (named by what failed)
    """The node answered C-ECHO or C-FIND with a status other than success."""

    def __init__(self, operation: str, status: int, text: str) -> None:
        super().__init__(f"{operation} was answered with 0x{status:04X} {text}".rstrip())
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class StudyFound:
    """The node holds the study; the number is None where it does not tell it."""

    study_instance_uid: str
    number_of_study_related_instances: int | None


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
