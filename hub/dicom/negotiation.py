"""In charge of agreeing on an association, with pynetdicom's PDUs and rules of negotiation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import negotiate_unrestricted
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from hub.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

VERIFICATION_UID = str(Verification)
_PROTOCOL_VERSION = 1


class BadRequest(Exception):  # noqa: N818 (named by what failed)
    """The bytes are not an A-ASSOCIATE-RQ (PS3.8 9.3.2)."""


class BadAnswer(Exception):  # noqa: N818 (named by what failed)
    """The bytes are no answer to an association request (PS3.8 9.3.3, 9.3.4)."""


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context that was accepted (PS3.8 7.1.1.13)."""

    abstract_syntax_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Requested:
    """An association request: AE titles without padding, and the longest PDU its sender takes.

    `is_version_known` is False where the requestor speaks only later versions of the protocol.
    """

    calling_ae_title: str
    called_ae_title: str
    maximum_pdu_length: int
    is_version_known: bool
    primitive: A_ASSOCIATE


def read_request(pdu: bytes) -> Requested:
    """Read an A-ASSOCIATE-RQ PDU (PS3.8 9.3.2), all of it with its head. Raises BadRequest."""
    try:
        decoded: Any = A_ASSOCIATE_RQ()
        decoded.decode(pdu)
        primitive: A_ASSOCIATE = decoded.to_primitive()
        return Requested(
            calling_ae_title=primitive.calling_ae_title.strip(),
            called_ae_title=primitive.called_ae_title.strip(),
            maximum_pdu_length=primitive.maximum_length_received or 0,
            is_version_known=decoded.protocol_version == _PROTOCOL_VERSION,
            primitive=primitive,
        )
    # pynetdicom raises whatever the bytes lead it to: index, key, value, struct, unicode.
    except Exception as error:
        raise BadRequest from error


def accept(request: Requested, maximum_pdu_length: int) -> tuple[bytes, Mapping[int, Context]]:
    """Give an A-ASSOCIATE-AC PDU (PS3.8 9.3.3), and the contexts it accepts by their number.

    Every SOP class that is a storage class or unknown is accepted with the transfer syntax that
    the peer names first, Verification with those of the standard. Raises BadRequest for contexts
    that cannot be negotiated.
    """
    primitive = request.primitive
    try:
        results, roles = negotiate_unrestricted(
            primitive.presentation_context_definition_list,
            [build_context(VERIFICATION_UID)],
            _roles(primitive),
        )
        answer = A_ASSOCIATE()
        answer.application_context_name = UID("1.2.840.10008.3.1.1.1")
        answer.calling_ae_title = primitive.calling_ae_title
        answer.called_ae_title = primitive.called_ae_title
        answer.result, answer.result_source = 0, 1
        accepted = [context for context in results if context.result == 0]
        refused = [context for context in results if context.result != 0]
        answer.presentation_context_definition_results_list = accepted + refused
        answer.user_information = [*_own(maximum_pdu_length), *roles]
        encoded = A_ASSOCIATE_AC(answer).encode()
    except Exception as error:
        raise BadRequest from error
    return encoded, {
        int(context.context_id or 0): Context(
            str(context.abstract_syntax), str(context.transfer_syntax[0])
        )
        for context in accepted
    }


def reject(result: int, source: int, reason: int) -> bytes:
    """Give an A-ASSOCIATE-RJ PDU (PS3.8 9.3.4)."""
    answer = A_ASSOCIATE()
    answer.result, answer.result_source, answer.diagnostic = result, source, reason
    encoded: bytes = A_ASSOCIATE_RJ(answer).encode()
    return encoded


@dataclass(frozen=True, slots=True)
class Accepted:
    """An association that a peer accepted, and the longest PDU that it takes; 0 is any length.

    `contexts` has result (PS3.8 9.3.3.2) and transfer syntax by the number of each context that
    the peer speaks of; some leave out what they refuse.
    """

    maximum_pdu_length: int
    contexts: Mapping[int, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An association that a peer rejected: who, why, and whether only for now (PS3.8 9.3.4)."""

    source: str
    reason: str
    is_transient: bool


def request(
    *, calling_ae_title: str, called_ae_title: str, contexts: Mapping[int, Context],
    maximum_pdu_length: int,
) -> bytes:  # fmt: skip
    """Give an A-ASSOCIATE-RQ PDU (PS3.8 9.3.2) that proposes contexts under their odd numbers."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = calling_ae_title, called_ae_title
    proposed = []
    for number, context in contexts.items():
        built = build_context(UID(context.abstract_syntax_uid), UID(context.transfer_syntax_uid))
        built.context_id = number
        proposed.append(built)
    primitive.presentation_context_definition_list = proposed
    primitive.user_information = _own(maximum_pdu_length)
    encoded: bytes = A_ASSOCIATE_RQ(primitive).encode()
    return encoded


def read_answer(pdu: bytes) -> Accepted | Rejected:
    """Read an A-ASSOCIATE-AC or -RJ PDU, all of it with its head. Raises BadAnswer."""
    try:
        decoded: Any = A_ASSOCIATE_AC() if pdu[0] == 2 else A_ASSOCIATE_RJ()
        decoded.decode(pdu)
        primitive: A_ASSOCIATE = decoded.to_primitive()
        if pdu[0] != 2:
            is_transient = primitive.result == 2
            return Rejected(primitive.source_str, primitive.reason_str, is_transient)
        return Accepted(
            maximum_pdu_length=primitive.maximum_length_received or 0,
            contexts={
                int(context.context_id or 0): (
                    int(context.result or 0), "".join(map(str, context.transfer_syntax[:1]))
                )
                for context in primitive.presentation_context_definition_results_list
            },  # fmt: skip
        )
    # As in read_request.
    except Exception as error:
        raise BadAnswer from error


def _roles(primitive: A_ASSOCIATE) -> dict[UID, tuple[bool | None, bool | None]]:
    return {
        UID(str(item.sop_class_uid)): (item.scu_role, item.scp_role)
        for item in primitive.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation)
    }


def _own(maximum_pdu_length: int) -> list[Any]:
    length = MaximumLengthNotification()
    length.maximum_length_received = maximum_pdu_length
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return [length, implementation, version]
