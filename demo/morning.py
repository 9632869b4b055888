"""The morning that is shown: fourteen made-up studies, and what must come of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from pydicom.dataset import Dataset

from demo.phantoms import KINDS, Patient, Shape, make_study, write_study

# An order message, where there is one, comes before the images unless `is_order_late`.
OMI, ORM, NONE = "OMI^O23", "ORM^O01", ""


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of a study; `critical` is the priority its finding raises it to."""

    critical: str = ""
    ai_state: str = "done"
    reports: int = 1
    usage: int = 1
    revision: int = 1


UNTOUCHED = Expected(ai_state="none", reports=0, usage=0)


@dataclass(frozen=True)
class Case:
    """One patient's study: where, of what, how it was ordered and how it comes."""

    site: str
    kind: str
    patient: Patient
    story: str
    order: str = OMI
    priority: str = "R"  # HL7 table 0485, as the RIS writes it
    is_abnormal: bool = False
    is_counted: bool = False  # the order says how many images there will be
    is_order_late: bool = False
    first_part: int = 0  # so many images come first, the others later
    seed: int = 0
    expected: Expected = Expected()

    @cached_property
    def datasets(self) -> list[Dataset]:
        """The images, made when they are first asked for."""
        return make_study(
            self.kind,
            patient=self.patient,
            accession_number=self.accession_number,
            started_at=datetime.now().astimezone().replace(tzinfo=None) - timedelta(minutes=10),
            rng_seed=self.seed,
            shape=Shape(is_abnormal=self.is_abnormal),
        )

    @property
    def accession_number(self) -> str:
        """Of the order and of the images."""
        return f"{self.site[:3].upper()}{self.patient.patient_id[-4:]}"

    @property
    def study_instance_uid(self) -> str:
        """As in the images."""
        return str(self.datasets[0].StudyInstanceUID)

    @property
    def modality(self) -> str:
        """For example CT."""
        return KINDS[self.kind].modality

    @property
    def description(self) -> str:
        """For example CT caput."""
        return KINDS[self.kind].description

    def write(self, folder: Path) -> list[Path]:
        """The images as files, in the order of their numbers."""
        return write_study(folder / self.accession_number, self.datasets)


def _patient(number: int, name: str, born: str, sex: str) -> Patient:
    return Patient(f"DEMO-{number:04d}", name, date.fromisoformat(born), sex)


# Reading order is by what was sent first, among equals: so this order is part of the story.
MORNING: Sequence[Case] = (
    Case(
        "ulleval", "head_ct", _patient(1042, "Sørbø^Ragnhild", "1949-05-02", "F"),
        "comes in two parts; the blood is in the second", ORM, "R", is_abnormal=True,
        first_part=11, seed=1, expected=Expected("STAT", reports=2, revision=2),
    ),
    Case(
        "nordbyhagen", "chest_dx", _patient(1043, "Nguyen^Minh", "1981-11-23", "M"),
        "has a pneumothorax", OMI, "R", is_abnormal=True, is_counted=True, seed=2,
        expected=Expected("STAT"),
    ),
    Case(
        "kalnes", "hand_dx", _patient(1044, "Ødegård^Åse", "1963-02-14", "F"),
        "has a fracture", ORM, "R", is_abnormal=True, seed=3, expected=Expected("HIGH"),
    ),
    Case(
        "drammen", "head_ct", _patient(1045, "Berg^Ingrid Marie", "1972-09-13", "F"),
        "ordered in a hurry, and clear", OMI, "A", is_counted=True, seed=4,
    ),
    Case(
        "tromso", "chest_cr", _patient(1046, "Somby^Áile", "1990-07-30", "F"),
        "is covered by no contract", OMI, "A", seed=5,
        expected=Expected(ai_state="none", reports=0, usage=0),
    ),
    Case(
        "kongsberg", "brain_mr", _patient(1047, "Haugen^Tor", "1958-12-01", "M"),
        "waits until a radiologist accepts the result", OMI, "R", is_abnormal=True,
        is_counted=True, seed=6, expected=Expected(ai_state="held", reports=0, usage=0),
    ),
    Case(
        "hamar", "brain_mr", _patient(1048, "Lund^Sara", "1985-04-19", "F"),
        "has lesions to follow up", ORM, "R", is_abnormal=True, is_counted=True, seed=7,
    ),
    Case(
        "ringerike", "hand_dx", _patient(1049, "Bakken^Ola", "1999-08-08", "M"),
        "goes to an algorithm on trial, which tells nobody", OMI, "R", is_abnormal=True, seed=8,
        expected=Expected(ai_state="none", reports=0, usage=0),
    ),
    Case(
        "kristiansand", "chest_cr", _patient(1050, "Tveit^Jørgen", "1947-01-27", "M"),
        "is clear", OMI, "TM30", seed=9,
    ),
    Case(
        "barum", "hand_dx", _patient(1051, "Solheim^Lars Erik", "2001-06-05", "M"),
        "is clear, and its order comes after it", ORM, "R", is_order_late=True, seed=10,
    ),
    Case(
        "lillehammer", "abdomen_ct", _patient(1052, "Moen^Kari", "1955-10-10", "F"),
        "is wanted by no algorithm", OMI, "R", is_counted=True, seed=11, expected=UNTOUCHED,
    ),
    Case(
        "tonsberg", "breast_mg", _patient(1053, "Vik^Solveig", "1968-03-22", "F"),
        "is wanted by no algorithm", OMI, "PRN", seed=12, expected=UNTOUCHED,
    ),
    Case(
        "skien", "abdomen_us", _patient(1054, "Øverland^Nils", "1976-11-11", "M"),
        "is wanted by no algorithm", ORM, "R", is_counted=True, seed=13, expected=UNTOUCHED,
    ),
    Case(
        "rikshospitalet", "knee_mr", _patient(1055, "Iversen^Thea", "1994-02-03", "F"),
        "was never ordered", NONE, seed=14, expected=UNTOUCHED,
    ),
)  # fmt: skip
