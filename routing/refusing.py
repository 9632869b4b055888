"""Messages that are not taken: kept and reported, without letting a flood of them fill the hub."""

from __future__ import annotations

import time
import uuid
from collections import Counter

import structlog
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.hl7.ack import build_ack
from hub.hl7.er7 import MessageError, UnparsableMessage
from hub.hl7.parse import MessageHeader
from hub.models import Node
from hub.phrases import Phrase, phrase
from routing.models import SetAside
from routing.places import spool
from routing.setting_aside import set_aside

log = structlog.get_logger(__name__)

_HOUR = 3600.0
MOST_OF_ONE = 20
MOST_OF_ALL = 200
# A hospital whose RIS goes live with another name than the set-up has for it: all is kept that a
# person could look at.
MOST_OF_NAMED = 2000


class Strangers:
    """How much of what strangers send is kept: so much an hour from one address, and from all.

    What a node of the set-up sends is always kept, and much of what comes from the address of one
    under another name. The rest is answered with its refusal all the same, and counted in the log.
    """

    def __init__(self) -> None:
        self._started_at = time.monotonic()
        self._kept: Counter[str] = Counter()
        self._kept_of_unnamed = 0

    def has_room(self, address: str, *, is_named: bool) -> bool:
        """Whether one more from there is to be kept; ``is_named``: the set-up has the address."""
        if time.monotonic() - self._started_at > _HOUR:
            self._started_at = time.monotonic()
            self._kept.clear()
            self._kept_of_unnamed = 0
        if is_named:
            return self._kept[address] < MOST_OF_NAMED
        return self._kept[address] < MOST_OF_ONE and self._kept_of_unnamed < MOST_OF_ALL

    def count(self, address: str, *, is_named: bool) -> None:
        """One was kept; the log says when it was the last."""
        self._kept[address] += 1
        self._kept_of_unnamed += not is_named
        if not self.has_room(address, is_named=is_named):
            log.warning("intake.strangers_not_kept", address=address, kept=self._kept[address])


def refuse(raw: bytes, *, sender: str, node: Node | None, fault: MessageError) -> bytes:
    """Keep the bytes, report why, and answer with the field and what was expected."""
    report(raw, sender=sender, node=node, fault=fault)
    return refusal(raw, sender=sender, fault=fault)


def report(raw: bytes, *, sender: str, node: Node | None, fault: MessageError) -> bool:
    """Keep the bytes and report why, unless the very same was reported last; whether it was new."""
    if _is_reported(raw, sender=sender, fault=fault):
        return False
    key = spool().set_aside(raw, reason=str(fault), suffix=".hl7")
    set_aside(
        node=node, sender=sender, key=key, why=_words(fault), field=fault.location,
        protocol="hl7",
    )  # fmt: skip
    return True


def refusal(raw: bytes, *, sender: str, fault: MessageError) -> bytes:
    """The answer that names the field and what was expected there."""
    log.warning("intake.refused", sender=sender, field=fault.location, code=fault.code)
    return answer(
        raw, fault.acknowledgement, text=fault.text, error=(fault.location, fault.code)
    )


def answer(
    request: MessageHeader | bytes,
    code: str,
    *,
    text: str = "",
    error: tuple[str, int] | None = None,
) -> bytes:
    """An acknowledgement of the hub's, under a control id of its own."""
    return build_ack(
        request,
        code=code,
        control_id=uuid.uuid4().hex[:20],
        at=timezone.now(),
        text=text,
        error=error,
    )


def _is_reported(raw: bytes, *, sender: str, fault: MessageError) -> bool:
    """Whether the very same was set aside last: some send a refused message for ever."""
    last = SetAside.objects.filter(sender=sender, field=fault.location).order_by("-pk").first()
    if last is None or last.reason != _words(fault).stored():
        return False
    try:
        return spool().fetched(last.key).read_bytes() == raw
    except OSError:
        return False


def _words(fault: MessageError) -> Phrase:
    if isinstance(fault, UnparsableMessage):
        return phrase(_("The message cannot be read: %(reason)s"), reason=fault.reason)
    return phrase(_("%(field)s: %(reason)s"), field=fault.location, reason=fault.text)
