"""What a real API server of Kubernetes was seen to do: the recordings of the corpus."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]
FOLDER = Path(__file__).parents[3] / "shared" / "corpus" / "kubernetes"
_LOG = re.compile(r"/pods/([^/]+)/log$")


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a watch told, or an event that was there: seconds since the beginning."""

    at: float
    type: str
    object: Json

    @property
    def kind(self) -> str:
        return str(self.object["kind"])


@dataclass(frozen=True, slots=True)
class Recording:
    """One scenario, in the order in which things happened."""

    name: str
    exchanges: tuple[Json, ...]

    @property
    def began_at(self) -> datetime:
        return parsedate_to_datetime(self.exchanges[0]["response"]["headers"]["date"])

    def told(self) -> list[Told]:
        """What watches of Jobs and pods told, and warnings, each at its time."""
        found = []
        for one in self.exchanges:
            for line in one["response"].get("events", ()):
                event = line["line"]
                if event["object"].get("kind") in ("Job", "Pod"):
                    found.append(Told(line["t"], event["type"], event["object"]))
        return sorted([*found, *self._events()], key=lambda one: one.at)

    def _events(self) -> list[Told]:
        by_uid: dict[str, Told] = {}
        for one in self.exchanges:
            if not one["request"]["path"].endswith("/events") or one["response"]["status"] != 200:
                continue
            for event in one["response"]["body"]["items"]:
                at = datetime.fromisoformat(event["metadata"]["creationTimestamp"])
                seconds = max(0.2, (at - self.began_at).total_seconds())
                event = {"kind": "Event", "apiVersion": "v1"} | event
                by_uid[event["metadata"]["uid"]] = Told(seconds, "ADDED", event)
        return list(by_uid.values())

    def jobs(self) -> list[str]:
        """The names of its Jobs, in order."""
        names = [one.object["metadata"]["name"] for one in self.told() if one.kind == "Job"
                 and one.type != "BOOKMARK"]  # fmt: skip
        return list(dict.fromkeys(names))

    def logs(self) -> dict[tuple[str, str], tuple[int, Any]]:
        """Status and body of each log that was read, by pod and container."""
        found = {}
        for one in self.exchanges:
            if match := _LOG.search(one["request"]["path"]):
                container = (one["request"].get("query") or {}).get("container", "")
                response = one["response"]
                found[(match[1], container)] = (response["status"], response.get("body", ""))
        return found


def is_here() -> bool:
    return FOLDER.is_dir()


needs_recordings = pytest.mark.skipif(
    not is_here(), reason="the recordings of an API server are not beside the project"
)


@cache
def recording(start: str) -> Recording:
    """The one whose name begins so: its number."""
    (path,) = FOLDER.glob(f"{start}_*.json")
    data = json.loads(path.read_text())
    return Recording(data["scenario"], tuple(data["exchanges"]))
