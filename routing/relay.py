"""What the processes of the Storage SCP say to each other: those that receive, and the one in front
that knows the set-up and writes the rows.

A hand asks for each association whether it may be, and for each instance to have its row written.
Study and series of an instance are said once for as long as they stay the same. Whose an instance
is must never depend on what one end only believes that the other heard: what was not answered is
said again, and what is written is held against the place of the file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.db import connection

from hub.dicom.headers import (
    Header,
    InstanceHeader,
    SeriesHeader,
    StudyHeader,
    UnreadableDataset,
)
from hub.dicom.scp import NOT_AUTHORISED, SUCCESS, Refusal
from hub.dicom.spool import Stored, is_place_of
from hub.lines import WRITE, WRITE_UNASKED, Line, NotAnswered
from hub.models import Node, Site
from routing.arrivals import Arrival
from routing.peers import FRESH_SECONDS, Peers
from routing.register import Register

log = structlog.get_logger(__name__)

_POLICY, _NODE, _ASIDE = "policy", "node", "aside"


class Front:
    """The one in front, as one association of a hand has it: its line, and what was said on it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._node: Node | None = None
        self._asked_at = 0.0
        self._study: StudyHeader | None = None
        self._series: SeriesHeader | None = None

    def policy(self, calling_ae_title: str, address: str) -> Refusal | None:
        """As routing.peers has it. Raises NotAnswered."""
        said = self._ask(_POLICY, calling_ae_title, address)
        if (refusal := said.get("refusal")) is not None:
            return Refusal(refusal["reason"], is_temporary=refusal["is_temporary"])
        self._know(said)
        return None

    def node_for(self, calling_ae_title: str, address: str) -> Node | None:
        """As routing.peers has it, asked anew every second. Raises NotAnswered."""
        if time.monotonic() - self._asked_at > FRESH_SECONDS:
            self._know(self._ask(_NODE, calling_ae_title, address))
        return self._node

    def record(self, arrival: Arrival) -> int:
        """Have the row of an instance committed; the status to answer. Raises NotAnswered.

        Where nobody waits for rows (HUB_SYNC off) it is only said.
        """
        header = arrival.header
        study = None if header.study is self._study else header.study
        series = None if header.series is self._series else header.series
        message = orjson.dumps([
            arrival.node.pk, study, series, header.instance, header.raw, arrival.stored,
            arrival.sender, arrival.received_at,
        ])  # fmt: skip
        # Until it has answered nobody knows what the other end has heard.
        self._study = self._series = None
        status = SUCCESS
        if settings.HUB_SYNC:
            status = int.from_bytes(self._line.ask(message, kind=WRITE), "big")
        else:
            self._line.say(message, kind=WRITE_UNASKED)
        self._study, self._series = header.study, header.series
        return status

    def set_aside(self, node: Node, *, sender: str, key: str, fault: UnreadableDataset) -> None:
        """Have a data set that cannot be read reported. Raises NotAnswered."""
        self._ask(_ASIDE, node.pk, sender, key, fault.reason, fault.field)

    def close(self) -> None:
        """The association is over."""
        self._line.close()

    def _ask(self, *question: str | int) -> dict[str, Any]:
        answer: dict[str, Any] = orjson.loads(self._line.ask(orjson.dumps(question)))
        return answer

    def _know(self, said: dict[str, Any]) -> None:
        self._node, self._asked_at = None, time.monotonic()
        if node := said.get("node"):
            # All that a hand needs of it; no database is behind these.
            site = Site(pk=node["site"], code=node["site_code"])
            self._node = Node(pk=node["pk"], site=site)


@dataclass(slots=True)
class Heard:
    """What was said last on a line: of study and series, and whom the hand knows to be sending."""

    study: StudyHeader | None = None
    series: SeriesHeader | None = None
    node: Node | None = None

    def forget(self) -> None:
        """Take nothing more from what was said of study and series."""
        self.study = self.series = None


class NotUnderstood(ValueError):  # noqa: N818 (named by what failed)
    """What a hand says of an instance does not fit what it said before, or the file."""


class Reception:
    """What the one in front does when it is asked: knows who may send, and writes."""

    def __init__(self, peers: Peers, register: Register) -> None:
        self._peers, self._register = peers, register

    def write(self, said: Sequence[tuple[Heard, bytes]]) -> list[bytes]:
        """Commit rows together; the status of each, in two bytes, or nothing for what failed."""
        answers = [b""] * len(said)
        arrivals: dict[int, Arrival] = {}
        for place, (heard, message) in enumerate(said):
            try:
                if (arrival := _arrival(heard, message)) is None:
                    log.warning("relay.no_longer_known")
                    answers[place] = _status(NOT_AUTHORISED)
                else:
                    arrivals[place] = arrival
            except Exception:
                # Of this line alone, and what was said on it counts no more.
                heard.forget()
                log.error("relay.not_understood", exc_info=True)
        if arrivals:
            outcomes = self._register.record_all(list(arrivals.values()))
            for place, status in zip(arrivals, outcomes, strict=True):
                answers[place] = _status(status)
        return answers

    def answer(self, heard: Heard, question: bytes) -> bytes:
        """Answer a question of a hand's."""
        try:
            return self._answer(heard, question)
        finally:
            # The threads that answer live long: no connection grows old or stays broken in them.
            connection.close()

    def _answer(self, heard: Heard, question: bytes) -> bytes:
        kind, *about = orjson.loads(question)
        if kind == _ASIDE:
            return self._set_aside(heard, *about)
        if kind == _POLICY and (refusal := self._peers.policy(*about)) is not None:
            heard.node = None
            return orjson.dumps({"refusal": refusal})
        heard.node = node = self._peers.node_for(*about)
        if node is None:
            return orjson.dumps({})
        known = {"pk": node.pk, "site": node.site_id, "site_code": node.site.code}
        return orjson.dumps({"node": known})

    def _set_aside(self, heard: Heard, pk: int, sender: str, key: str, *fault: str) -> bytes:
        node = heard.node
        if node is None or node.pk != pk:
            raise NotAnswered("the node is no longer known")
        self._register.set_aside(node, sender=sender, key=key, fault=UnreadableDataset(*fault))
        return b"{}"


def _arrival(heard: Heard, message: bytes) -> Arrival | None:
    """What a hand said of an instance; None where its node has just been taken out.

    Raises NotUnderstood.
    """
    pk, study, series, instance, raw, stored, sender, at = orjson.loads(message)
    if study is not None:
        heard.study = StudyHeader(**study)
    if series is not None:
        heard.series = SeriesHeader(**series | {"image_type": tuple(series["image_type"])})
    node = heard.node
    if node is None or node.pk != pk:
        return None
    if heard.study is None or heard.series is None:
        raise NotUnderstood("of which study or series was not said")
    header = Header(heard.study, heard.series, InstanceHeader(**instance), raw)
    if not is_place_of(stored["key"], site=node.site.code, header=header):
        raise NotUnderstood("the file lies where another series of a site lies")
    return Arrival(node, header, Stored(**stored), sender, datetime.fromisoformat(at))


def _status(status: int) -> bytes:
    return status.to_bytes(2, "big")
