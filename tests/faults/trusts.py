"""A hub between two hospitals of two trusts, and what each PACS, each RIS and the invoice saw."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import hl7
from pydicom.dataset import Dataset

from demo.stand_ins import Pacs
from tests.fakes.modality import send_hl7, storescu
from tests.fakes.obstinate import ObstinateRis
from tests.fakes.running_hub import ROOT, RunningHub, running_hub
from tests.fakes.waiting import until
from tests.journeys.hospitals import Hospital, setup_of
from tests.journeys.region import Scan, make_scan

SITES = {"drammen": "vestre-viken", "ulleval": "ous"}
# quick to take over from the dead, slow to close a study that says itself that more will come
QUICK = {"HUB_LEASE_SECONDS": "2", "HUB_RESTART_SECONDS": "0.5", "HUB_QUIET_SECONDS": "60"}
OF_STUDY = """FROM routing_study s JOIN hub_site h ON h.id = s.site_id
 WHERE s.study_instance_uid = ? AND h.code = ?"""
SETTLED = f"""
SELECT count(*) FROM routing_workitem w WHERE w.state = 'written_back'
   AND w.study_id IN (SELECT s.id {OF_STUDY} AND s.state = 'matched')
   AND NOT EXISTS (SELECT 1 FROM routing_delivery d WHERE d.workitem_id = w.id
                   AND d.state NOT IN ('delivered', 'cancelled'))"""
USAGE = f"""
SELECT count(*) FROM contracts_usageevent u JOIN routing_workitem w
    ON replace(u.event_id, '-', '') = replace(CAST(w.uid AS varchar), '-', '')
 WHERE w.study_id IN (SELECT s.id {OF_STUDY})"""


@dataclass(frozen=True, slots=True)
class Sent:
    """A study of one hospital."""

    scan: Scan
    site: str

    @property
    def uid(self) -> str:
        return self.scan.uid


@dataclass
class Trusts:
    """The hub, and beside each hospital a PACS and a RIS that keep what they get.

    ``others`` are more supervisors of the same hub: who sends tries one after the other.
    """

    hub: RunningHub
    folder: Path
    pacs: dict[str, Pacs]
    rises: dict[str, ObstinateRis]
    sent: list[Sent] = field(default_factory=list)
    others: list[RunningHub] = field(default_factory=list)
    _turn: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def hubs(self) -> list[RunningHub]:
        """Every supervisor."""
        return [self.hub, *self.others]

    def _next(self) -> RunningHub:
        return self.hubs[next(self._turn) % len(self.hubs)]

    # -- what hospitals do -------------------------------------------------------------------------
    def study(self, site: str = "drammen", *, slices: int = 10, **changes: object) -> Sent:
        """A new study on disk, that says itself how many instances it has."""
        changes["NumberOfStudyRelatedInstances"] = slices
        with self._lock:
            made = Sent(make_scan(self.folder, slices=slices, **changes), site)
            self.sent.append(made)
        return made

    def morning(self, count: int, **changes: object) -> list[Sent]:
        """Studies of both hospitals in turn."""
        sites = list(SITES)
        return [self.study(sites[number % 2], **changes) for number in range(count)]

    def store(self, sent: Sent, files: Sequence[Path] | None = None) -> None:
        """Send a study as scanners do: whatever was not answered with Success, again and again."""
        left = list(sent.scan.files if files is None else files)
        name = f"{sent.site.upper()}CT"

        def send() -> bool:
            answers = storescu(left, ae_title=name, port=self._next().dicom_port).answers
            said = dict(enumerate(answers))
            left[:] = [one for at, one in enumerate(left) if said.get(at) != "Success"]
            return not left

        until(send, "the study is taken", seconds=120)

    def order(self, sent: Sent, message: bytes = b"") -> None:
        """Send its order (or another message) as a RIS does: again until it is accepted."""
        said = message or sent.scan.order(sent.site.upper()).omi()

        def accepted() -> bool:
            try:
                answer = send_hl7(said, port=self._next().hl7_port)
            except (OSError, hl7.HL7Exception, IndexError):
                return False
            return str(answer.segment("MSA")[1]) == "AA"

        until(accepted, "the order is taken", seconds=120)

    def bring(self, studies: Sequence[Sent], *, at_once: int = 3) -> None:
        """Orders and studies of a morning, some scanners at a time."""

        def one(sent: Sent) -> None:
            self.order(sent)
            self.store(sent)

        with ThreadPoolExecutor(at_once) as scanners:
            list(scanners.map(one, studies))

    # -- what came of it -----------------------------------------------------------------------
    def settle(self, studies: Sequence[Sent], *, seconds: float = 60) -> None:
        """Wait until the hub says that everything of them was told."""
        for sent in studies:
            try:
                until(lambda: self._is_settled(sent), sent.uid, seconds=seconds)  # noqa: B023
            except AssertionError as error:
                error.add_note(self.hub.manage("explain", sent.uid, is_fine=False))
                raise

    def _is_settled(self, sent: Sent) -> bool:
        try:
            return bool(self.hub.rows(SETTLED, sent.uid, sent.site)[0][0])
        except Exception as fault:
            # The test itself has taken the database away.
            if type(fault).__name__ in ("OperationalError", "AdminShutdown"):
                return False
            raise

    def assert_once(self, studies: Sequence[Sent], *, seconds: float = 60) -> None:
        """Each went the whole way: nothing of it lost, told twice, billed twice, or elsewhere."""
        self.settle(studies, seconds=seconds)
        for sent in studies:
            self._assert_pacs(sent)
            self._assert_ris(sent)
            assert self.hub.rows(USAGE, sent.uid, sent.site) == [(1,)], sent.uid

    def reports(self, sent: Sent, *, site: str = "") -> list[Dataset]:
        """What the PACS of a hospital got of a study; twice counts twice."""
        return self.pacs[site or sent.site].of_study(sent.uid)

    def told(self, sent: Sent, *, site: str = "") -> dict[str, set[str]]:
        """The control ids of what the RIS of a hospital was told of a study, by kind."""
        names: dict[str, set[str]] = {}
        for raw in self.rises[site or sent.site].about(sent.uid):
            message = hl7.parse(raw.decode())
            kind = str(message.segment("MSH")[9]).split("^")[0]
            names.setdefault(kind, set()).add(str(message.segment("MSH")[10]))
        return names

    def _assert_pacs(self, sent: Sent) -> None:
        reports = self.reports(sent)
        # At least once, and under one name: a PACS keeps it once.
        assert len({one.SOPInstanceUID for one in reports}) == 1, sent.uid
        assert {one.PatientID for one in reports} == {sent.scan.patient_id}
        assert len({one.to_json() for one in reports}) == 1, "the same name, another content"
        assert len(evidence(reports[0])) == len(sent.scan.files), "an instance was not analysed"
        for site in self._others(sent):
            assert self.reports(sent, site=site) == [], f"{site} got what is not its own"

    def _assert_ris(self, sent: Sent) -> None:
        counts = {kind: len(names) for kind, names in self.told(sent).items()}
        assert counts == {"ORU": 1, "OMI": 1}, sent.uid
        for raw in self.rises[sent.site].about(sent.uid):
            assert sent.scan.patient_id.encode() in raw
        for site in self._others(sent):
            assert self.told(sent, site=site) == {}, f"{site} was told what is not its own"

    def _others(self, sent: Sent) -> list[str]:
        """The hospitals that sent no study of this UID."""
        own = {one.site for one in self.sent if one.uid == sent.uid}
        return [site for site in self.pacs if site not in own]


def evidence(report: Dataset) -> set[str]:
    """The SOP Instance UIDs that a report rests on: all that was analysed."""
    return {
        str(instance.ReferencedSOPInstanceUID)
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


@contextmanager
def two_trusts(
    folder: Path, *, database: str = "", broker: str = "", is_started: bool = True,
    change: Callable[[str], str] = str, code: Path = ROOT, **settings: str,
) -> Iterator[Trusts]:  # fmt: skip
    """Run the hub between two hospitals; on a database and a broker of its own, or on those.

    ``change`` may make another text of its set-up file.
    """
    with ExitStack() as stack:
        pacs, rises = {}, {}
        for site in SITES:
            pacs[site], rises[site] = Pacs(), ObstinateRis()
            # whoever stands there by then
            stack.callback(lambda site=site: pacs[site].close())
            stack.callback(lambda site=site: rises[site].close())
        hospitals = [
            Hospital(site, trust, pacs[site].port, rises[site].port)
            for site, trust in SITES.items()
        ]
        setup = change(setup_of(hospitals, folder / "switches"))
        hub = stack.enter_context(
            running_hub(folder / "hub", setup, database_url=database, broker_url=broker,
                        is_started=is_started, code=code, **(QUICK | settings))
        )  # fmt: skip
        yield Trusts(hub, folder, pacs, rises)


@contextmanager
def meanwhile(again: Callable[[], float]) -> Iterator[None]:
    """Do something again and again, after as many seconds as it says, until the block ends."""
    is_over = threading.Event()
    faults: list[BaseException] = []

    def run() -> None:
        try:
            while not is_over.wait(again()):
                pass
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    if faults:
        raise faults[0]
