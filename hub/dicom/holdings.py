"""In charge of asking a node which instances it has, after it said that it stored them."""

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from hub.dicom.association import Caller, NoContextAccepted, Peer, Unreachable, associated
from hub.dicom.scu import OperationFailed

_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_SUCCESS, _NOT_SUPPORTED = 0x0000, 0x0122
_PENDING = frozenset({0xFF00, 0xFF01})


def instances_of(
    peer: Peer,
    *,
    calling_ae_title: str,
    study_instance_uid: str,
    series_instance_uids: Iterable[str],
    timeout_seconds: float = 30.0,
) -> set[str]:
    """Give the SOP Instance UIDs that a node has of some series of a study (PS3.4 C.6.2.1).

    One C-FIND at level IMAGE for each series, in one association. Raises Unreachable,
    AssociationRefused, OperationFailed.
    """
    caller = Caller(calling_ae_title, timeout_seconds)
    contexts = [build_context(_STUDY_ROOT_FIND, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])]
    found: set[str] = set()
    try:
        with associated(peer, caller, contexts) as association:
            for series in series_instance_uids:
                found.update(_of_series(association, peer, study_instance_uid, series))
    except NoContextAccepted as error:
        raise OperationFailed("C-FIND", _NOT_SUPPORTED, str(error)) from error
    return found


def _of_series(
    association: Association, peer: Peer, study_instance_uid: str, series_instance_uid: str
) -> Iterator[str]:
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID = study_instance_uid
    query.SeriesInstanceUID = series_instance_uid
    query.SOPInstanceUID = ""
    for status, match in association.send_c_find(query, _STUDY_ROOT_FIND):
        if "Status" not in status:
            raise Unreachable(peer.host, peer.port, "gave no answer to C-FIND")
        if status.Status not in _PENDING and status.Status != _SUCCESS:
            comment = str(status.get("ErrorComment") or "")
            raise OperationFailed("C-FIND", int(status.Status), comment)
        if match is not None and match.get("SOPInstanceUID"):
            yield str(match.SOPInstanceUID)
