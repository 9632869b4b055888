"""The demonstration must notice when something did not come true."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from demo.morning import MORNING
from demo.neighbours import read_sites
from demo.orders import order_message
from demo.outcome import Outcome, is_as_expected
from demo.stand_ins import Pacs, Ris
from demo.telling import Teller
from hub.hl7.er7 import Message
from hub.hl7.parse import read_orders

COVERED = [case for case in MORNING if case.order]


@pytest.fixture
def nothing() -> Iterator[Outcome]:
    pacs, ris = Pacs(), Ris()
    yield Outcome([], {}, pacs, ris, [])
    pacs.close()
    ris.close()


def told(outcome: Outcome) -> tuple[bool, str]:
    out = io.StringIO()
    return is_as_expected(Teller(out), outcome), out.getvalue()


def test_a_morning_in_which_nothing_happened_is_not_as_it_must_be(nothing: Outcome) -> None:
    is_fine, text = told(nothing)
    assert not is_fine
    for sentence in ("critical finding", "no contract covers", "held", "report for each", "wishes"):
        line = next(line for line in text.splitlines() if sentence in line)
        assert line.strip().startswith("✗"), line


def test_an_object_of_another_patient_at_the_pacs_is_noticed(nothing: Outcome) -> None:
    stranger: Any = SimpleNamespace(
        Modality="SR", StudyInstanceUID=MORNING[0].study_instance_uid, PatientID="SOMEBODY-ELSE"
    )
    nothing.pacs.received.append(stranger)
    _, text = told(nothing)
    line = next(line for line in text.splitlines() if "right patient" in line)
    assert line.strip().startswith("✗")


@pytest.mark.parametrize("case", COVERED, ids=[case.site for case in COVERED])
def test_the_orders_of_the_stand_in_say_what_the_images_say(case: Any) -> None:
    (order,) = read_orders(Message.from_bytes(order_message(case, facility="X")))
    assert order.study_instance_uid == case.study_instance_uid
    assert order.accession_number == case.datasets[0].AccessionNumber
    assert order.patient.name == case.patient.name
    assert order.patient.identifiers[0].value == case.datasets[0].PatientID
    assert order.priority is not None
    assert order.modality == case.modality


def test_the_morning_is_as_large_and_as_mixed_as_promised() -> None:
    assert len(MORNING) >= 12
    assert len({case.modality for case in MORNING}) >= 4
    assert sum(bool(case.expected.critical) for case in MORNING) == 3
    assert len({read_sites()[case.site].organisation for case in MORNING}) == 9
