"""The whole way of a study with every logger at its most talkative: no line tells of a patient."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from hub import logs
from tests.builders.orders import order_message
from tests.builders.studies import PATIENT, head_ct
from tests.routing.conftest import Place

# libraries that set their own level keep it, unless it is taken from them
LOUD = ("", "hub", "routing", "vendors", "django", "django.db.backends", "pydicom", "pynetdicom",
        "highdicom", "celery", "kombu", "asyncio")  # fmt: skip


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a handler that leaves nothing out would have written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter())
    logs.configure()
    before = {name: logging.getLogger(name).level for name in LOUD}
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_no_line_of_a_whole_journey_tells_who_the_patient_is(
    place: Place, written: io.StringIO
) -> None:
    place.order(order_message(name="Åsnes^Kjærsti"))
    place.order(order_message(name="Åsnes^Kjærsti", control_id="9" * 300))  # is refused
    place.send(head_ct(PatientComments="Åsnes, Kjærsti", StudyDescription="CT caput Åsnes"))
    place.send(head_ct(slices=1, StudyInstanceUID="1." + "2" * 63))  # cannot be taken
    place.work()
    assert len(place.objects()) == 1
    assert place.results() != []
    structlog.get_logger("routing.test").debug("the journey is over")
    told = written.getvalue().casefold()
    assert "the journey is over" in told
    for secret in ("snes", "jærsti", PATIENT.patient_id, "19720913", "1972-09-13",
                   place.study.accession_number.casefold() + "^"):  # fmt: skip
        lines = [line for line in told.splitlines() if secret.casefold() in line]
        assert lines == [], secret


def test_a_broken_algorithm_does_not_bring_its_words_into_the_log(
    place: Place, written: io.StringIO
) -> None:
    """What it prints may name the patient; administrators of the site alone get to see it."""
    place.algorithm_does("crash")
    place.send(head_ct())
    place.work()
    for _ in range(6):
        if place.workitem.state != "failed":
            place.time_passes()
    told = written.getvalue().casefold()
    assert place.workitem.state == "failed"
    assert PATIENT.patient_id not in told
    lines = place.workitem.log_tail.splitlines()
    assert lines
    assert [line for line in lines if line.strip() and line.casefold() in told] == []
