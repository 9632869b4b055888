"""Watches the hub from outside, as its neighbours do, and tells what happens while it happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from demo.client import Client, Json
from demo.own_hub import OwnHub
from demo.stand_ins import Pacs, Ris
from demo.telling import Teller
from hub.hl7.datatypes import read_priority
from hub.hl7.er7 import Message
from hub.hl7.parse import read_header

LOOK_SECONDS = 0.4
# Workitem states after which nothing more happens by itself
ENDS = {"refused", "held", "written_back", "withheld", "failed", "rejected", "superseded"}
AI_ENDS = {"none", "held", "done", "failed"}


@dataclass
class Watch:
    """What has been seen so far; look() tells what is new."""

    hub: OwnHub
    client: Client
    pacs: Pacs
    ris: Ris
    teller: Teller
    facilities: Mapping[str, str]  # MSH-6 of a message to the RIS, and the site it stands for
    _objects: int = 0
    _messages: int = 0
    _rows: dict[str, tuple[object, ...]] = field(default_factory=dict)
    _sites: dict[str, str] = field(default_factory=dict)

    def look(self) -> None:
        """Tell what has come to PACS, RIS and worklist since the last look."""
        self.hub.require_running()
        with suppress(OSError):  # its web process may be starting again
            for row in self.client.worklist(state="all"):
                self._tell_row(row)
        for dataset in self.pacs.received[self._objects :]:
            self._objects += 1
            self._tell_object(dataset)
        for raw in self.ris.received[self._messages :]:
            self._messages += 1
            self._tell_message(Message.from_bytes(raw))

    def wait_until(self, is_true: Callable[[], bool], *, seconds: float) -> bool:
        """Look on until it is true; False when the time is over."""
        deadline = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > deadline:
                return False
            self.look()
            time.sleep(LOOK_SECONDS)
        self.look()
        return True

    def is_settled(self, study_instance_uid: str, *, revision: int = 1) -> bool:
        """Whether the hub has nothing more to do for this revision of a study by itself."""
        study = None
        with suppress(OSError):
            study = self.client.study(study_instance_uid)
        if study is None or study["state"] != "matched" or study["revision"] < revision:
            return False
        return all(item["state"] in ENDS for item in study["workitems"]) and not any(
            delivery["state"] == "pending" for delivery in study["deliveries"]
        )

    def _tell_row(self, row: Json) -> None:
        uid = row["study_instance_uid"]
        self._sites[uid] = row["site"]
        shown = (row["priority"], row["ai_state"], row["reason"], row["revision"])
        # Between two answers a study passes states that would only be noise here.
        is_final = row["state"] == "matched" and row["ai_state"] in AI_ENDS
        if is_final and self._rows.get(uid) != shown:
            self._rows[uid] = shown
            self.teller.event("hub: worklist", row["site"], f"{row['priority']}: {row['reason']}")

    def _tell_object(self, dataset: Dataset) -> None:
        site = self._sites.get(str(dataset.StudyInstanceUID), "")
        title = dataset.get("SeriesDescription") or "structured report"
        self.teller.event("hub -> PACS", site, f"{dataset.Modality}: {title}")

    def _tell_message(self, message: Message) -> None:
        header = read_header(message)
        site = self.facilities.get(header.receiving_facility, "")
        if header.message_type.startswith("ORU"):
            status = {"P": "preliminary", "C": "corrected"}
            word = status.get(message.segment("OBR").value(25), "")
            self.teller.event("hub -> RIS", site, f"{word} result".strip())
        else:
            wanted = new_priority(message)
            self.teller.event("hub -> RIS", site, f"please read sooner: {wanted}")


def new_priority(message: Message) -> str:
    """The priority that a message to the RIS asks for, by name (TQ1-9, else ORC-7.6)."""
    code = message.segment("TQ1").value(9) or message.segment("ORC").value(7, component=6)
    return read_priority(code) or "no priority"


def accession_number(message: Message) -> str:
    """Of the order that a message to the RIS speaks of (IPC-1, else OBR-18)."""
    return message.segment("IPC").value(1) or message.segment("OBR").value(18)
