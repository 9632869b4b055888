"""A hub that a test may treat badly: one hospital, and what its PACS and RIS counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import hl7
from pydicom.dataset import Dataset

from demo.stand_ins import Pacs
from tests.fakes.modality import send_hl7, storescu
from tests.fakes.obstinate import ObstinateRis
from tests.fakes.running_hub import RunningHub, running_hub
from tests.fakes.waiting import until
from tests.journeys.hospitals import Hospital, setup_of
from tests.journeys.region import Scan, make_scan

# quick to take over from the dead, slow to close a study that says itself that more will come
QUICK = {
    "HUB_LEASE_SECONDS": "2", "HUB_RESTART_SECONDS": "0.5", "HUB_QUIET_SECONDS": "60",
    "HUB_SWEEP_SECONDS": "0.25",
}  # fmt: skip
SETTLED = """
SELECT count(*) FROM routing_workitem w JOIN routing_study s ON s.id = w.study_id
 WHERE s.study_instance_uid = ? AND s.state = 'matched' AND w.state = 'written_back'
   AND NOT EXISTS (SELECT 1 FROM routing_delivery d WHERE d.workitem_id = w.id
                   AND d.state <> 'delivered')"""


@dataclass
class Rough:
    """The hub, its PACS and its RIS; a hook runs once, inside the PACS or the RIS."""

    hub: RunningHub
    folder: Path
    ris: ObstinateRis
    pacs: Pacs
    hooks: dict[str, Callable[[], object]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        take = self.ris.answer
        self.pacs.status = lambda _dataset: self._run("pacs") or 0
        self.ris.answer = lambda message: self._run("ris") or take(message)

    def _run(self, where: str) -> None:
        with self._lock:
            hook = self.hooks.pop(where, None)
        if hook is not None:
            hook()

    def scan(self, *, slices: int = 10, **changes: object) -> Scan:
        """A new study on disk, that says itself how many instances it has."""
        changes["NumberOfStudyRelatedInstances"] = slices
        return make_scan(self.folder, slices=slices, **changes)

    def store(self, scan: Scan) -> None:
        """Send a study as scanners do: again and again, until every instance was taken."""
        until(
            lambda: storescu(
                scan.files, ae_title="DRAMMENCT", port=self.hub.dicom_port
            ).is_success,
            "the study is taken", seconds=60,
        )  # fmt: skip

    def order(self, scan: Scan) -> None:
        """Send its order as a RIS does: the same message until it is accepted."""

        def accepted() -> bool:
            try:
                answer = send_hl7(scan.order().omi(), port=self.hub.hl7_port)
            except (OSError, hl7.HL7Exception, IndexError):
                return False
            return str(answer.segment("MSA")[1]) == "AA"

        until(accepted, "the order is taken", seconds=60)

    def bring(self, scans: list[Scan]) -> None:
        """Orders and studies of a morning, three scanners at a time."""

        def one(scan: Scan) -> None:
            self.order(scan)
            self.store(scan)

        with ThreadPoolExecutor(3) as scanners:
            list(scanners.map(one, scans))

    def assert_whole_way(self, scans: list[Scan], *, seconds: float = 60) -> None:
        """Every study went the whole way, and nothing of it was told or billed twice."""
        for scan in scans:
            try:
                until(lambda: self.hub.rows(SETTLED, scan.uid) == [(1,)], scan.uid, seconds=seconds)  # noqa: B023
            except AssertionError as error:
                error.add_note(self.hub.manage("explain", scan.uid, is_fine=False))
                raise
        for scan in scans:
            self._assert_once(scan)

    def _assert_once(self, scan: Scan) -> None:
        reports: list[Dataset] = self.pacs.of_study(scan.uid)
        assert len({one.SOPInstanceUID for one in reports}) == 1
        assert {one.PatientID for one in reports} == {scan.patient_id}
        messages = [hl7.parse(one.decode()) for one in self.ris.about(scan.uid)]
        names: dict[str, set[str]] = {}
        for one in messages:
            kind = str(one.segment("MSH")[9]).split("^")[0]
            names.setdefault(kind, set()).add(str(one.segment("MSH")[10]))
        assert {kind: len(ids) for kind, ids in names.items()} == {"ORU": 1, "OMI": 1}
        (count,) = self.hub.rows(
            "SELECT count(*) FROM contracts_usageevent u JOIN routing_workitem w"
            " ON replace(u.event_id, '-', '') = replace(CAST(w.uid AS varchar), '-', '')"
            " JOIN routing_study s ON s.id = w.study_id WHERE s.study_instance_uid = ?",
            scan.uid,
        )
        assert count == (1,)


@contextmanager
def rough_hub(folder: Path) -> Iterator[Rough]:
    """A hub of one hospital, with a PACS and a RIS that count."""
    pacs, ris = Pacs(), ObstinateRis()
    hospital = Hospital("drammen", "vestre-viken", pacs.port, ris.port, ("finds",))
    setup = setup_of([hospital], folder / "switches")
    try:
        with running_hub(folder / "hub", setup, **QUICK) as hub:
            yield Rough(hub, folder, ris, pacs)
    finally:
        pacs.close()
        ris.close()
