"""In charge of DIMSE messages on one association: fragments in, services called, responses out."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hub.dicom import commands
from hub.dicom.commands import BadCommand, Command
from hub.dicom.durable import SpoolFull
from hub.dicom.file_meta import write_file_meta
from hub.dicom.gathering import Gathering
from hub.dicom.negotiation import VERIFICATION_UID, Context
from hub.dicom.received import ReceivedInstance
from hub.passing import is_of_the_system

logger = logging.getLogger(__name__)

# PS3.4 B.2.3, table B.2-1.
SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000
# Of the range C000-CFFF, and apart from CANNOT_UNDERSTAND in logs: the fault is ours.
PROCESSING_FAILURE = 0xC001
# PS3.7 annex C.5.
SOP_CLASS_NOT_SUPPORTED = 0x0122
UNRECOGNISED_OPERATION = 0x0211

# The longest of the standard are a few hundred bytes.
_LONGEST_COMMAND = 1 << 16
# PS3.8 E.2: of the message control header.
_IS_COMMAND, IS_LAST = 1, 2

OnStore = Callable[[ReceivedInstance], int]


class Unexpected(Exception):  # noqa: N818 (named by what happened)
    """A fragment that no message goes on with: the association cannot either.

    `is_value` tells a wrong value from one that is right, and comes at the wrong time.
    """

    def __init__(self, why: str, *, is_value: bool = False) -> None:
        super().__init__(why)
        self.is_value = is_value


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the two ends of an association agreed on, and who is at the other.

    `contexts` are those that were accepted; the peer takes PDUs of up to `maximum_pdu_length`
    bytes, or of any length where that is 0.
    """

    calling_ae_title: str
    called_ae_title: str
    address: str
    contexts: Mapping[int, Context]
    maximum_pdu_length: int


class Messages:
    """What one association is saying; one message at a time (PS3.7 D.3.3.3: no asynchronicity)."""

    def __init__(self, agreed: Agreed, gathering: Gathering, on_store: OnStore) -> None:
        self._agreed = agreed
        self._gathering = gathering
        self._on_store = on_store
        self._command = bytearray()
        self._request: Command | None = None
        self._context_id = 0

    @property
    def is_amid(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._request is not None or bool(self._command)

    def room(self, context_id: int, control: int, size: int) -> memoryview:
        """Give a view to read the next fragment into, of so many bytes (PS3.8 9.3.5.1, E.2).

        `control` is the message control header. Raises Unexpected.
        """
        if context_id not in self._agreed.contexts:
            raise Unexpected(f"presentation context {context_id} is not there", is_value=True)
        if self.is_amid and context_id != self._context_id:
            raise Unexpected(f"presentation context {context_id} amid another's message")
        if bool(control & _IS_COMMAND) is (self._request is not None):
            raise Unexpected("a command before the data set of the last, or a data set before one")
        if not control & _IS_COMMAND:
            return self._gathering.room(size)
        self._context_id = context_id
        start = len(self._command)
        if start + size > _LONGEST_COMMAND:
            raise Unexpected("the command set is too long", is_value=True)
        self._command += bytes(size)
        return memoryview(self._command)[start:]

    def took(self, control: int, piece: memoryview) -> Sequence[bytes]:
        """Take what was read into the room, and give PDUs of an answer, mostly none.

        Raises Unexpected. The piece is released.
        """
        if not control & _IS_COMMAND:
            self._gathering.took(piece)
            piece.release()
            return self._answer() if control & IS_LAST else ()
        piece.release()
        return self._begin() if control & IS_LAST else ()

    def _begin(self) -> Sequence[bytes]:
        try:
            self._request = commands.decode(bytes(self._command))
        except BadCommand as error:
            raise Unexpected("the command set cannot be read", is_value=True) from error
        self._command = bytearray()
        self._gathering.begin(self._context.transfer_syntax_uid, self._file_meta(self._request))
        return () if self._request.has_data_set else self._answer()

    def _answer(self) -> Sequence[bytes]:
        request, self._request = self._request, None
        assert request is not None
        status = self._status_of(request)
        if status is None:
            return ()
        answer = commands.response(request, status)
        return commands.fragments(self._context_id, answer, self._agreed.maximum_pdu_length)

    def _status_of(self, request: Command) -> int | None:
        """Do what is asked, and give the status to answer; None where no answer is due."""
        if request.field == commands.C_STORE_RQ:
            return self._store(request)
        if request.field == commands.C_ECHO_RQ:
            return SUCCESS
        if request.field in commands.OTHER_REQUESTS:
            return UNRECOGNISED_OPERATION
        if request.field == commands.C_CANCEL_RQ or request.field & commands.RESPONSE:
            # Of nothing that was asked or is going on here.
            logger.warning("dicom.no_request address=%s", self._agreed.address)
            return None
        raise Unexpected(f"command field {request.field:04X}H is not known", is_value=True)

    @property
    def _context(self) -> Context:
        return self._agreed.contexts[self._context_id]

    def _store(self, request: Command) -> int:
        """Hand one C-STORE request on and give the status of its response (PS3.4 B.2.3)."""
        if self._context.abstract_syntax_uid == VERIFICATION_UID:
            return SOP_CLASS_NOT_SUPPORTED
        if not (request.has_data_set and request.sop_class_uid and request.sop_instance_uid):
            return CANNOT_UNDERSTAND
        try:
            return _checked(self._on_store(self._received(request)))
        except SpoolFull:
            logger.error("dicom.no_space address=%s", self._agreed.address)
            return OUT_OF_RESOURCES
        except Exception as error:
            _log_without_patient(error, address=self._agreed.address)
            return OUT_OF_RESOURCES if is_of_the_system(error) else PROCESSING_FAILURE
        finally:
            self._gathering.release()

    def _file_meta(self, request: Command) -> bytes:
        return write_file_meta(
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
            transfer_syntax_uid=self._context.transfer_syntax_uid,
            calling_ae_title=self._agreed.calling_ae_title,
        )

    def _received(self, request: Command) -> ReceivedInstance:
        return ReceivedInstance(
            calling_ae_title=self._agreed.calling_ae_title,
            called_ae_title=self._agreed.called_ae_title,
            address=self._agreed.address,
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
            transfer_syntax_uid=self._context.transfer_syntax_uid,
            dataset=self._gathering.content(),
            digest=self._gathering.digest(),
            lying=self._gathering.lying(),
        )


def _checked(given: object) -> int:
    # True and None must not become Success by being turned into a number.
    if type(given) is not int or not 0 <= given <= 0xFFFF:
        raise TypeError(f"on_store gave {type(given).__name__} instead of a status")
    return given


def _log_without_patient(error: Exception, *, address: str) -> None:
    """Say where it failed, and not with what: messages of errors quote values of the data set."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code.co_filename if trace else "?"
    line = trace.tb_lineno if trace else 0
    logger.error(
        "dicom.store_failed address=%s error=%s at=%s:%d", address, type(error).__name__, code, line
    )
