"""A first site whose PACS and RIS are real sockets, and an algorithm that is a real process."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from django.utils import timezone
from pydicom.dataset import Dataset

from contracts.models import UsageEvent
from demo.stand_ins import Pacs, Ris
from routing import sweeping
from routing.intake import Intake
from routing.models import Breaker, Delivery, Study, Workitem
from tests.builders import worker
from tests.builders.parties import FirstSite, first_site
from tests.builders.studies import send


@dataclass
class Place:
    """The first site, and what stands beside it."""

    rows: FirstSite
    pacs: Pacs
    ris: Ris

    def algorithm_does(self, *behaviour: str, module: str = "tests.fakes.algorithm") -> None:
        """Make the algorithm a process that does what tests.fakes.algorithm calls this."""
        manifest = copy.deepcopy(self.rows.version.manifest)
        manifest["performer"] = {
            "kind": "process",
            "command": ["python", "-m", module, *behaviour],
            "timeout_seconds": 20,
        }
        manifest["returns"].pop("dicom", None)
        self.rows.version.manifest = manifest
        self.rows.version.save()

    def work(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Let the worker do all there is to do."""
        worker.drain(seconds=60, until=until)

    def send(self, datasets: Sequence[Dataset]) -> list[int]:
        """Instances from this site's PACS; the statuses they were answered with."""
        return send(self.rows.pacs, datasets)

    def order(self, raw: bytes) -> bytes:
        """A message from this site's RIS; the acknowledgement."""
        intake = Intake()
        try:
            return intake.take(raw, "127.0.0.1")
        finally:
            intake.close()

    def is_accepted_first(self) -> None:
        """Let nothing go out before a radiologist has accepted it."""
        self.rows.deployment.write_back = "after_acceptance"
        self.rows.deployment.save()

    def time_passes(self) -> None:
        """Let whatever waits for its time be due, and let the sweep find it."""
        worker.lose_everything()
        now = timezone.now()
        for rows in (Study, Workitem, Delivery):
            rows.objects.filter(due_at__gt=now).update(due_at=now)  # type: ignore[attr-defined]
        Breaker.objects.update(open_until=None)
        sweeping.sweep()
        self.work()

    @property
    def study(self) -> Study:
        return Study.objects.get(site=self.rows.site)

    @property
    def workitem(self) -> Workitem:
        return Workitem.objects.get(study__site=self.rows.site)

    def objects(self) -> list[Dataset]:
        """What the PACS has of the study."""
        return self.pacs.of_study(self.study.study_instance_uid)

    def results(self) -> list[str]:
        """The status (OBR-25) of each result that the RIS was told."""
        return [one.segment("OBR").value(25) for one in self.ris.of_type("ORU^R01")]

    def nothing_was_sent(self) -> bool:
        """Whether neither PACS nor RIS was told anything, and nobody was billed."""
        told = [*self.pacs.received, *self.ris.received]
        return not told and not UsageEvent.objects.exists()


@pytest.fixture
def place(transactional_db: None, settings: Any, tmp_path_factory: Any) -> Iterator[Place]:
    settings.HUB_STATE_DIR = tmp_path_factory.mktemp("state")
    settings.HUB_STORAGE_URL = f"file://{settings.HUB_STATE_DIR}/spool"
    settings.HUB_ALLOW_PROCESS_PERFORMER = True
    settings.HUB_SHORT_QUIET_SECONDS = 0.05
    settings.HUB_QUIET_SECONDS = 0.2
    settings.HUB_RETRY_SECONDS = 0.05
    settings.HUB_SEND_TIMEOUT_SECONDS = 3.0
    pacs, ris = Pacs(), Ris()
    found = Place(first_site(pacs_port=pacs.port, ris_port=ris.port), pacs, ris)
    found.algorithm_does("present")
    worker.lose_everything()
    yield found
    pacs.close()
    ris.close()
