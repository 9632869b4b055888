"""The pathway, walked in any order: late, twice, changed, killed anywhere, with all messages lost.

The rows, the steps and the algorithm's process are the real ones; PACS and RIS are stand-ins on
sockets that may be away, deaf, or refuse.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pydicom.dataset import Dataset

from contracts.models import UsageEvent
from demo.stand_ins import Pacs, Ris
from hub.celery import app
from hub.hl7.er7 import Message
from routing import intake, pathway, replay, review, sweeping, taking_in, tasks
from routing.models import Arrived, Breaker, Delivery, Instance, Study, Transition, Workitem
from routing.order_nodes import OrderNodes
from routing.pathway import MoveRefused, Overtaken
from routing.places import spool
from routing.register import SET_ASIDE, record
from tests import emptying
from tests.builders import worker
from tests.builders.orders import bare_message, order_message
from tests.builders.parties import first_site
from tests.builders.studies import head_ct
from tests.fakes.killing import killed_at
from tests.routing.conftest import Place
from tests.routing.test_receive import arrival

assert tasks.sweep  # importing them makes them known to Celery
SLICES = 6
ENDED = {"written_back", "withheld", "refused", "failed", "rejected", "superseded", "held"}
FINDING = {
    "code": {"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"},
    "status": "present", "probability": 0.97, "urgency": "stat",
}  # fmt: skip
deaths = st.none() | st.integers(0, 12) | st.integers(0, 60)


class Neighbours:
    """A PACS and a RIS for all examples, and how they behave now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.findings = folder / "findings.json"
        self.findings.write_text(json.dumps(
            {"schema": "hub.findings/1", "outcome": "complete", "findings": [FINDING]}
        ))  # fmt: skip
        self.pacs, self.ris = Pacs(), Ris()
        self.pacs.status = lambda _dataset: 0 if self.pacs_is == "there" else 0xA700
        self.ris.answer = self._answer
        self.forget()

    def forget(self) -> None:
        """As new, for the next example."""
        self.pacs_is = self.ris_is = "there"
        self.pacs.received.clear()
        # what the RIS took, whether or not the hub was told so
        self.taken: list[bytes] = []

    def _answer(self, message: bytes) -> str:
        if self.ris_is in ("there", "deaf"):
            self.taken.append(message)
        if self.ris_is in ("deaf", "away"):
            raise ConnectionAbortedError
        return "AE" if self.ris_is == "refuses" else "AA"

    def place(self) -> Place:
        """The first site in an empty database, with an algorithm that takes no time."""
        emptying.empty()
        worker.lose_everything()
        place = Place(
            first_site(pacs_port=self.pacs.port, ris_port=self.ris.port), self.pacs, self.ris
        )
        place.algorithm_does("present")
        version, rule_ = place.rows.version, place.rows.rule
        version.manifest["performer"]["command"] = [
            "sh", "-c", f"cp {self.findings} $HUB_OUTPUT_DIR/",
        ]  # fmt: skip
        version.manifest["needs"]["minimum_instances"] = 2
        version.save()
        rule_.when = {"series.modality": {"equals": "CT"}}
        rule_.save()
        return place

    def close(self) -> None:
        self.pacs.close()
        self.ris.close()


class Way(RuleBasedStateMachine):
    """One study on its way, and everything that can happen to it."""

    def __init__(self, neighbours: Neighbours) -> None:
        super().__init__()
        self.around = neighbours
        neighbours.forget()
        self.place = neighbours.place()
        self.unsent = head_ct(slices=SLICES, size=8)
        self.accepted: list[Dataset] = []
        self.nudges: list[tuple[str, list[int]]] = []

    @initialize(
        use=st.sampled_from(["clinical"] * 4 + ["shadow"]),
        first=st.sampled_from(["automatic"] * 4 + ["after_acceptance"]),
        is_ordered=st.booleans(),
        already=st.integers(2, SLICES - 1),
    )
    def begin(self, use: str, first: str, is_ordered: bool, already: int) -> None:
        deployment = self.place.rows.deployment
        deployment.state, deployment.write_back = use, first
        deployment.save()
        if is_ordered:
            self.the_ris_speaks_of_the_order(control="NW", priority="R", dies=None)
        for one in self.unsent[:already]:
            self._send(one, None)

    # -- what comes in ---------------------------------------------------------------------------
    @precondition(lambda self: self.unsent)
    @rule(dies=st.none() | st.none() | st.integers(0, 25))
    def an_instance_comes(self, dies: int | None) -> None:
        self._send(self.unsent[0], dies)

    def _send(self, one: Dataset, dies: int | None) -> None:
        with killed_at(dies) as fate:
            answer = record([arrival(self.place, one)])
        if not fate.was_killed:
            assert answer == [0]
            self.unsent.remove(one)
            self.accepted.append(one)

    @precondition(lambda self: self.accepted)
    @rule(which=st.integers(0, 99), what=st.sampled_from(["again", "changed", "stranger", "own"]))
    def what_must_change_nothing_comes(self, which: int, what: str) -> None:
        taking_in.take_in_all()
        before = Study.objects.values_list("revision", "instance_count", "state").get()
        one = copy.deepcopy(self.accepted[which % len(self.accepted)])
        answer = 0
        if what == "changed":
            one.PixelData, answer = b"\1" * len(one.PixelData), SET_ASIDE
        elif what == "stranger":
            one.PatientID, one.SOPInstanceUID, answer = "01010112345", "1.2.3.4", SET_ASIDE
        elif what == "own" and self.around.pacs.received:
            one = self.around.pacs.received[0]
        assert record([arrival(self.place, one)]) == [answer]
        assert Study.objects.values_list("revision", "instance_count", "state").get() == before

    @rule(dies=deaths)
    def what_waits_in_the_inbox_is_taken_in(self, dies: int | None) -> None:
        with killed_at(dies):
            taking_in.take_in_all()

    @rule(
        control=st.sampled_from(["NW", "XO", "CA"]),
        priority=st.sampled_from(["S", "A", "R"]),
        dies=st.none() | st.none() | st.integers(0, 25),
    )
    def the_ris_speaks_of_the_order(self, control: str, priority: str, dies: int | None) -> None:
        raw = order_message(control=control, priority=priority)
        if control == "CA":
            raw = bare_message("CA")
        with killed_at(dies):
            assert len(intake.record([intake.read(raw, "127.0.0.1", OrderNodes())])) == 1

    # -- workers and the broker ------------------------------------------------------------------
    @rule(count=st.integers(1, 20), which=st.integers(0, 99), dies=deaths)
    def workers_do_nudges_until_one_dies(self, count: int, which: int, dies: int | None) -> None:
        for turn in range(count):
            self._collect_nudges()
            if not self.nudges:
                self._time_passes()
            if self.nudges:
                name, args = self.nudges.pop(which % len(self.nudges))
                with killed_at(dies if turn == count - 1 else None):
                    app.tasks[name](*args)

    @rule(which=st.integers(0, 99), is_lost=st.booleans())
    def messages_are_lost_or_come_twice(self, which: int, is_lost: bool) -> None:
        self._collect_nudges()
        if is_lost:
            self.nudges.clear()
        elif self.nudges:
            name, args = self.nudges[which % len(self.nudges)]
            app.tasks[name](*args)
            app.tasks[name](*args)

    def _time_passes(self) -> None:
        """What waited is due, the leases of the dead have run out, and the sweep comes."""
        # What is taken in sets the time of the next look anew.
        taking_in.take_in_all()
        now = timezone.now()
        for rows in (Study, Workitem, Delivery):
            rows.objects.filter(due_at__gt=now).update(due_at=now)  # type: ignore[attr-defined]
        for held in (Workitem, Delivery):
            held.objects.exclude(lease_until=None).update(lease_until=now - timedelta(hours=1))  # type: ignore[attr-defined]
        Study.objects.update(last_instance_at=now - timedelta(seconds=120))
        Breaker.objects.update(open_until=None)
        sweeping.sweep()
        self._collect_nudges()

    def _collect_nudges(self) -> None:
        self.nudges += worker.take_nudges()

    # -- people and neighbours -------------------------------------------------------------------
    @rule(
        pacs=st.sampled_from(["there", "there", "full"]),
        ris=st.sampled_from(["there", "there", "deaf", "away", "refuses"]),
    )
    def the_neighbours_come_and_go(self, pacs: str, ris: str) -> None:
        self.around.pacs_is, self.around.ris_is = pacs, ris

    @rule(what=st.sampled_from(["accept", "reject", "replay", "open", "open", "close"]))
    def people_decide(self, what: str) -> None:
        if what in ("open", "close"):
            self.place.rows.call_off.state = "active" if what == "open" else "closed"
            self.place.rows.call_off.save()
        if what == "replay":
            for failed in Workitem.objects.filter(state__in=["failed", "refused"]):
                replay.replay_workitem(failed, by="admin")
            for dead in Delivery.objects.filter(state="dead"):
                replay.replay_delivery(dead, by="admin")
        for item in Workitem.objects.all() if what in ("accept", "reject") else ():
            try:
                getattr(review, what)(item, by=self.place.rows.radiologist)
            except (MoveRefused, Overtaken):
                continue

    # -- what always holds -----------------------------------------------------------------------
    @invariant()
    def nothing_is_wrong(self) -> None:
        self.nothing_accepted_is_missing()
        self.every_row_came_by_moves_of_the_table()
        self.the_pacs_holds_each_object_once_and_of_this_patient()
        self.the_ris_was_told_each_thing_once()
        self.nobody_is_billed_twice_nor_for_what_nobody_got()
        self.shadow_leaves_the_hub_never()

    def nothing_accepted_is_missing(self) -> None:
        columns = ("sop_instance_uid", "key")
        kept = [dict(rows.objects.values_list(*columns)) for rows in (Arrived, Instance)]
        for one in self.accepted:
            (key,) = (keys[one.SOPInstanceUID] for keys in kept if one.SOPInstanceUID in keys)
            assert spool().path(key).exists()
        assert not Arrived.objects.exclude(study__state="receiving").exists()
        assert not Instance.objects.filter(sop_instance_uid="1.2.3.4").exists()

    def every_row_came_by_moves_of_the_table(self) -> None:
        stood: dict[tuple[str, int], str] = defaultdict(str)
        for move in Transition.objects.order_by("pk"):
            row: Any = move.delivery or move.workitem or move.study
            key = (type(row).__name__, row.pk)
            if move.from_state == move.to_state:
                continue
            assert move.from_state == stood[key], f"{key}: {move}"
            if move.from_state:
                assert move.to_state in pathway.MOVES[type(row)][move.from_state], f"{key}: {move}"
            stood[key] = move.to_state
        for rows in (Study, Workitem, Delivery):
            for one in rows.objects.all():  # type: ignore[attr-defined]
                assert stood[type(one).__name__, one.pk] == one.state

    def the_pacs_holds_each_object_once_and_of_this_patient(self) -> None:
        seen: dict[str, Dataset] = {}
        for one in self.around.pacs.received:
            assert seen.setdefault(one.SOPInstanceUID, one) == one
            assert one.PatientID == self.accepted[0].PatientID
            assert one.StudyInstanceUID == self.accepted[0].StudyInstanceUID

    def the_ris_was_told_each_thing_once(self) -> None:
        by_id: dict[str, bytes] = {}
        for raw in self.around.taken:
            control_id = Message.from_bytes(raw).header.value(10)
            assert by_id.setdefault(control_id, raw) == raw
        told = [Message.from_bytes(raw) for raw in by_id.values()]
        assert_once((m.segment("OBR").field(3), "P") for m in told if _status(m) == "P")
        assert_once(
            (m.segment("ORC").field(2), m.segment("TQ1").field(9))
            for m in told if m.segment("ORC").value(1) == "XO"
        )  # fmt: skip

    def nobody_is_billed_twice_nor_for_what_nobody_got(self) -> None:
        events = UsageEvent.objects.values_list("study_ref", "algorithm", "call_off")
        assert_once(events)
        if events:
            assert Delivery.objects.filter(delivered_at__isnull=False).exists()

    def shadow_leaves_the_hub_never(self) -> None:
        if self.place.rows.deployment.state == "shadow":
            assert not self.around.pacs.received
            assert not self.around.taken
            assert not UsageEvent.objects.exists()

    # -- and in the end --------------------------------------------------------------------------
    def teardown(self) -> None:
        """All neighbours are there again and nobody dies: everything comes to its end."""
        self.around.pacs_is = self.around.ris_is = "there"
        self.nudges.clear()
        for _ in range(200):
            self._time_passes()
            if not self.nudges:
                break
            for name, args in self.nudges:
                app.tasks[name](*args)
            self.nudges.clear()
        assert set(Study.objects.values_list("state", flat=True)) <= {"matched"}
        assert set(Workitem.objects.values_list("state", flat=True)) <= ENDED
        assert not Delivery.objects.filter(state="pending").exists()
        self.nothing_is_wrong()
        self._what_was_written_back_arrived()

    def _what_was_written_back_arrived(self) -> None:
        reports = {one.SOPInstanceUID for one in self.around.pacs.received}
        for item in Workitem.objects.filter(state="written_back"):
            sent = item.deliveries.filter(kind="dicom", state="delivered")
            assert sent.exists()
            assert set(item.results.values_list("sop_instance_uid", flat=True)) <= reports
            assert UsageEvent.objects.count() == 1
        # what stands is about all that came, and nothing of it was analysed twice
        standing = Workitem.objects.exclude(state="superseded")
        assert len(standing) == bool(len(self.accepted) >= 2)
        for item in standing:
            assert item.input_instances().count() == len(self.accepted)


def _status(message: Message) -> str:
    return message.segment("OBR").value(25)


def assert_once(found: Iterable[Any]) -> None:
    """Every one of ``found`` is there once."""
    listed = list(found)
    assert len(listed) == len(set(listed)), listed


_AT_LENGTH = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("walks", [8, pytest.param(60, marks=_AT_LENGTH)])
def test_whatever_happens_nothing_is_lost_and_nothing_is_told_twice(
    settings: Any, tmp_path: Path, walks: int
) -> None:
    settings.HUB_STATE_DIR = tmp_path
    settings.HUB_STORAGE_URL = f"file://{tmp_path}/spool"
    settings.HUB_ALLOW_PROCESS_PERFORMER = True
    settings.HUB_SEND_TIMEOUT_SECONDS = 3.0
    settings.HUB_RETRY_SECONDS = 0.0
    neighbours = Neighbours(tmp_path)
    try:
        run_state_machine_as_test(lambda: Way(neighbours), settings=_settings(walks))
    finally:
        neighbours.close()


def _settings(walks: int) -> settings:
    return settings(
        max_examples=walks,
        stateful_step_count=30,
        deadline=None,
        # To shrink a walk takes minutes; the one printed can be walked again by its blob.
        phases=(Phase.reuse, Phase.generate),
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
