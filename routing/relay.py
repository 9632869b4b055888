"""What the processes of the Storage SCP say to each other: those that receive, and the one in front
that knows the set-up and writes the rows.

A hand asks for each association whether it may be, and for each instance to have its row written.
Study and series of an instance are said once for as long as they stay the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings

from hub.desk import WRITE, WRITE_UNASKED, Line, NotAnswered
from hub.dicom.headers import (
    Header,
    InstanceHeader,
    SeriesHeader,
    StudyHeader,
    UnreadableDataset,
)
from hub.dicom.scp import NOT_AUTHORISED, SUCCESS, Refusal
from hub.dicom.spool import Stored
from hub.models import Node, Site
from routing.arrivals import Arrival
from routing.peers import FRESH_SECONDS, Peers
from routing.register import Register

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
    """What was said last on a line of study and series."""

    study: StudyHeader | None = None
    series: SeriesHeader | None = None


class Reception:
    """What the one in front does when it is asked: knows who may send, and writes."""

    def __init__(self, peers: Peers, register: Register) -> None:
        self._peers, self._register = peers, register

    def write(self, said: Sequence[tuple[Heard, bytes]]) -> list[bytes]:
        """Commit rows together; the status of each, in two bytes."""
        statuses = [NOT_AUTHORISED] * len(said)
        arrivals: dict[int, Arrival] = {}
        for place, (heard, message) in enumerate(said):
            if (arrival := self._arrival(heard, message)) is not None:
                arrivals[place] = arrival
        outcomes = self._register.record_all(list(arrivals.values()))
        for place, status in zip(arrivals, outcomes, strict=True):
            statuses[place] = status
        return [status.to_bytes(2, "big") for status in statuses]

    def answer(self, _heard: Heard, question: bytes) -> bytes:
        """Answer a question of a hand's."""
        kind, *about = orjson.loads(question)
        if kind == _ASIDE:
            return self._set_aside(*about)
        if kind == _POLICY and (refusal := self._peers.policy(*about)) is not None:
            return orjson.dumps({"refusal": refusal})
        if (node := self._peers.node_for(*about)) is None:
            return orjson.dumps({})
        known = {"pk": node.pk, "site": node.site_id, "site_code": node.site.code}
        return orjson.dumps({"node": known})

    def _set_aside(self, pk: int, sender: str, key: str, reason: str, field: str) -> bytes:
        node = self._peers.node(pk)
        if node is None:
            raise NotAnswered("the node is no longer known")
        fault = UnreadableDataset(reason, field)
        self._register.set_aside(node, sender=sender, key=key, fault=fault)
        return b"{}"

    def _arrival(self, heard: Heard, message: bytes) -> Arrival | None:
        """What a hand said of an instance; None where its node has just been taken out."""
        pk, study, series, instance, raw, stored, sender, at = orjson.loads(message)
        if study is not None:
            heard.study = StudyHeader(**study)
        if series is not None:
            heard.series = SeriesHeader(**series | {"image_type": tuple(series["image_type"])})
        node = self._peers.node(pk)
        if node is None or heard.study is None or heard.series is None:
            return None
        header = Header(heard.study, heard.series, InstanceHeader(**instance), raw)
        return Arrival(node, header, Stored(**stored), sender, datetime.fromisoformat(at))
