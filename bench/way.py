"""The way of a study: from the last byte of a CT to its dispatch, and to its report in the PACS.

    .venv/bin/python -m bench.way [--quick]

The quiet time and the algorithm's own run are taken away: what is left is what the hub itself
needs. First one study at a time, then twenty a minute. Dispatched is a study of which the algorithm
has all: the hub has started it with the whole input before it, a router has sent it the last slice.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydicom import dcmread

from bench import alone, forwarding, mercure, peers
from bench.data import Images, make_images
from bench.hub import Hub, running_hub
from bench.measurement import HUB, Measurement, Target
from bench.places import ROOT, NotMeasured, folder, wait_until
from demo.stand_ins import Pacs, Ris

QUIET_SECONDS, SHORT_QUIET_SECONDS = 3.0, float(forwarding.STABLE_SECONDS)
STUDIES_A_MINUTE = 20
ONE_AT_A_TIME = "one at a time"
# Not the same event: when the router opened its association, and had sent nothing yet.
_BEGUN = "{}, begun"
_HOW = {
    "Orthanc": "forwards by Lua at OnStableStudy, as it came",
    mercure.NAME: "forwards each series, looks once a second, quiet time as the hub's",
}
_MANIFEST = ROOT / "examples/algorithms/manifests/head-ct-bleed-1.0.0.json"
_SETUP = Path(__file__).with_name("way.yaml")
_FINDING = {
    "code": {"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"},
    "status": "present", "probability": 0.97, "urgency": "stat",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Times:
    """Of one study, in seconds: to its dispatch, and all that the hub itself took."""

    dispatch: float
    own: float


@dataclass(frozen=True, slots=True)
class Way:
    """A hub, the PACS it reports to, and a few studies on disk, named anew for each sending."""

    hub: Hub
    pacs: Pacs
    studies: Sequence[Images]

    def send(self, number: int) -> Times:
        """Send one study and wait until its report is in the PACS."""
        uid, sent_at = send(self.studies[number % len(self.studies)], number, self.hub.dicom_port)
        try:
            wait_until(lambda: self.pacs.of_study(uid), "the report is in the PACS", seconds=120)
        except NotMeasured as fault:
            raise NotMeasured(f"{fault}; {self._how_far(uid)}") from None
        told_at = time.time()
        moves: dict[str, float] = {}
        wait_until(lambda: moves.update(self._moves(uid)) or "collected" in moves, "collected")
        ran = moves["collected"] - moves["dispatched"]
        waited = sent_at + SHORT_QUIET_SECONDS
        return Times(moves["dispatched"] - waited, told_at - waited - ran)

    def _how_far(self, uid: str) -> str:
        """The last that the hub noted of a study."""
        rows = self.hub.ask(
            "SELECT t.to_state, t.at, t.why FROM routing_transition t"
            f" JOIN routing_study s ON s.id = t.study_id WHERE s.study_instance_uid = '{uid}'"  # noqa: S608
            " ORDER BY t.id DESC LIMIT 3"
        )
        return f"last moves: {rows}, sent until {datetime.now(UTC)}"

    def _moves(self, uid: str) -> dict[str, float]:
        rows = self.hub.ask(
            "SELECT t.to_state, t.at FROM routing_transition t"
            f" JOIN routing_study s ON s.id = t.study_id WHERE s.study_instance_uid = '{uid}'"  # noqa: S608
            " AND t.to_state IN ('dispatched', 'collected') AND t.from_state <> t.to_state"
        )
        return {state: _seconds(at) for state, at in rows}

    def sustain(self, seconds: float, *, first: int) -> list[Times]:
        """Send twenty studies a minute for so long, each at its time whatever became of others."""
        apart = 60 / STUDIES_A_MINUTE
        started = time.monotonic()

        def one(number: int) -> Times:
            time.sleep(max(0.0, started + number * apart - time.monotonic()))
            return self.send(first + number)

        with ThreadPoolExecutor(len(self.studies)) as scanners:
            return list(scanners.map(one, range(round(seconds / apart))))


def send(study: Images, number: int, port: int) -> tuple[str, float]:
    """Send a study under new names by storescu: its UID, and when the last byte was taken."""
    study.rename(number + 1)
    uid = str(dcmread(study.files[0], specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
    command = [peers.program("storescu"), "-R", "-aet", "PACS", "-aec", "HUB", "127.0.0.1"]
    done = subprocess.run(
        [*command, str(port), *map(str, study.files)], check=False, capture_output=True,
        env=peers.environment(has_no_delay=True),
    )  # fmt: skip
    if done.returncode:
        raise NotMeasured(f"storescu failed: {done.stderr.decode(errors='replace')[-300:]}")
    return uid, time.time()


def measure(*, is_quick: bool) -> list[Measurement]:
    """Three rows: to the dispatch, beside Orthanc; all of the hub's own time; and under load."""
    rounds, slices, seconds = (2, 100, 24) if is_quick else (5, 300, 120)
    with folder() as where:
        studies = _by_study(make_images(where / "data", 4 * slices))
        failures: dict[str, str] = {}
        at_rest, others = _at_rest(where, studies, rounds, failures)
        busy = _busy(where, studies, seconds)
    dispatch = [[one.dispatch for one in times] for times in at_rest]
    own = [[one.own for one in times] for times in at_rest]
    conditions = {
        "study": f"CT, {slices} x 512 x 512", "sender": "storescu, one association, TCP_NODELAY",
        "quiet time": f"{SHORT_QUIET_SECONDS:g} s", "synced": "hub and Orthanc",
        "figure": f"95th percentile of {len(studies)} studies",
    }  # fmt: skip
    sent_on: dict[str, list[list[float]]] = {}
    for name, rounds_of in others.items():
        for called, which in ((name, 1), (_BEGUN.format(name), 0)):
            sent_on[called] = [[one[which] for one in few] for few in rounds_of]
    to_dispatch = {HUB: _p95s(dispatch)}
    to_dispatch |= {called: _p95s(values) for called, values in sent_on.items()}
    alone_own = [one for few in own for one in few]
    under_load = {HUB: [p95([one.own for one in busy])], ONE_AT_A_TIME: [p95(alone_own)]}
    return [
        Measurement(
            "way.dispatch", "Last byte to dispatch, beyond the quiet time", "s", to_dispatch,
            is_rate=False,
            targets=[Target(at_most=0.3), *(Target(name, at_least=10) for name in others)],
            conditions=conditions | {name: _HOW[name] for name in others},
            details={"hub": dispatch, **sent_on}, failures=failures,
        ),
        Measurement(
            "way.own", "The hub's whole own time, last byte to report in the PACS", "s",
            {HUB: _p95s(own)}, is_rate=False, targets=[Target(at_most=1.0)],
            conditions=conditions, details={"hub": own},
        ),
        Measurement(
            "way.sustained", f"The same with {STUDIES_A_MINUTE} studies a minute", "s", under_load,
            is_rate=False, targets=[Target(at_most=1.0), Target(ONE_AT_A_TIME, at_least=0.91)],
            conditions=conditions | {"for": f"{seconds} s", "figure": "95th percentile of all"},
            details={"own": [one.own for one in busy], "dispatch": [one.dispatch for one in busy]},
        ),
    ]  # fmt: skip


def p95(values: Sequence[float]) -> float:
    """The 95th percentile: of few values the largest."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]


def _p95s(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [p95(values) for values in rounds]


def _at_rest(
    where: Path, studies: Sequence[Images], rounds: int, failures: dict[str, str]
) -> tuple[list[list[Times]], dict[str, list[list[tuple[float, float]]]]]:
    """Rounds of the hub and of the routers, in turns, after one study of each to warm it."""
    ours: list[list[Times]] = []
    theirs: dict[str, list[list[tuple[float, float]]]] = {}
    with ExitStack() as stack:
        way = stack.enter_context(_way(where / "hub", studies))
        way.send(0)
        peers_of: dict[str, forwarding.Router] = {}
        for name, start in _routers().items():
            try:
                peers_of[name] = stack.enter_context(start(where / name))
                _forwarded(studies, 0, peers_of[name])
                theirs[name] = []
            except NotMeasured as fault:
                failures[name] = str(fault)
        for number in range(rounds):
            few = range(1 + number * len(studies), 1 + (number + 1) * len(studies))
            ours.append([way.send(one) for one in few])
            for name, found in theirs.items():
                found.append([_forwarded(studies, one, peers_of[name]) for one in few])
    return ours, theirs


def _routers() -> dict[str, Callable[[Path], AbstractContextManager[forwarding.Router]]]:
    given = {mercure.NAME: mercure.router} if mercure.is_given() else {}
    return {"Orthanc": forwarding.orthanc, **given}


def _forwarded(
    studies: Sequence[Images], number: int, peer: forwarding.Router
) -> tuple[float, float]:
    """From the last byte to the beginning of its being sent on, and to the end, but the quiet."""
    study = studies[number % len(studies)]
    _uid, sent_at = send(study, number, peer.port)
    begun, sent_on = peer.wait(len(study.files))
    waited = sent_at + SHORT_QUIET_SECONDS
    return begun - waited, sent_on - waited


def _busy(where: Path, studies: Sequence[Images], seconds: float) -> list[Times]:
    with _way(where / "busy", studies) as way:
        way.send(100_000)
        return way.sustain(seconds, first=100_001)


@contextmanager
def _way(where: Path, studies: Sequence[Images]) -> Iterator[Way]:
    """A hub with an algorithm that takes no time, a PACS and a RIS."""
    where.mkdir(parents=True)
    said = {"schema": "hub.findings/1", "outcome": "complete", "findings": [_FINDING]}
    (where / "findings.json").write_text(json.dumps(said))
    manifest = json.loads(_MANIFEST.read_text())
    copy = f"cp {where}/findings.json $HUB_OUTPUT_DIR/"
    manifest["performer"] |= {"command": ["sh", "-c", copy]}
    (where / "manifest.json").write_text(json.dumps(manifest))
    pacs, ris = Pacs(), Ris()
    try:
        setup = _SETUP.read_text().format(
            pacs=pacs.port, ris=ris.port, manifest=where / "manifest.json"
        )
        with running_hub(
            where / "hub", setup, HUB_QUIET_SECONDS=str(QUIET_SECONDS),
            HUB_SHORT_QUIET_SECONDS=str(SHORT_QUIET_SECONDS), HUB_ALLOW_PROCESS_PERFORMER="on",
        ) as hub:  # fmt: skip
            yield Way(hub, pacs, studies)
    finally:
        pacs.close()
        ris.close()


def _by_study(images: Images) -> list[Images]:
    """Each study by itself."""
    found: dict[Path, list[int]] = {}
    for place, path in enumerate(images.files):
        found.setdefault(path.parent, []).append(place)
    return [
        Images(
            parent,
            tuple(images.files[place] for place in places),
            tuple(images.places[place] for place in places),
        )
        for parent, places in found.items()
    ]


def _seconds(at: object) -> float:
    """Seconds since 1970: SQLite gives text in UTC, PostgreSQL a time."""
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


if __name__ == "__main__":
    raise SystemExit(alone.run(measure))
