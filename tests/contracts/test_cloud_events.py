"""What an event must be to be understood; each refusal names the field and the rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cloud_events import Correction, EventNotUnderstoodError, Use, read
from tests.contracts.usage_reports import adjusted, completed

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_a_clinical_result_is_one_unit_at_the_moment_it_came() -> None:
    use = read(completed(completed_at="2026-07-01T10:00:00+02:00"), now=NOW)

    assert isinstance(use, Use)
    assert (use.units, use.latency_ms, use.fault) == (1, 74_200, "none")
    assert use.envelope.at == datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
    assert use.envelope.call_off == "CO-0001"


@pytest.mark.parametrize(
    "unpaid",
    [
        {"purpose": "validation"},
        {"purpose": "shadow"},
        {"purpose": "research"},
        {"outcome": "failed", "fault": "supplier"},
        {"outcome": "rejected", "fault": "customer"},
        {"rerun_of": "event-0"},
    ],
)
def test_what_is_not_paid_for_is_zero_units(unpaid: dict[str, Any]) -> None:
    use = read(completed(units=3, **unpaid), now=NOW)
    assert isinstance(use, Use)
    assert use.units == 0


def test_the_wait_is_reckoned_where_it_is_not_told() -> None:
    use = read(
        completed(latency_s=None, requested_at="2026-07-01T08:03:01.020Z"), now=NOW
    )
    assert isinstance(use, Use)
    assert use.latency_ms == 10_100


def test_a_correction_names_the_event_it_corrects() -> None:
    found = read(adjusted(7, of=3, units=-1), now=NOW)
    assert isinstance(found, Correction)
    assert (found.ref_id, found.delta_units) == ("event-3", -1)
    assert found.ref_source == found.envelope.source


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"specversion": "0.3"}, "specversion: expected one of 1.0"),
        ({"type": "com.example"}, "type: expected one of hub.inference"),
        ({"id": ""}, "id: "),
        ({"id": 7}, "id: "),
        ({"time": "2026-07-01T08:03:11"}, "time: expected a time with its zone"),
        ({"time": "2026-13-01T08:03:11Z"}, "time: "),
        ({"time": "2027-01-01T00:00:00Z"}, "time: expected a time that has come"),
        # a moment of UTC, or a day in Oslo, beyond the calendar
        ({"time": "0001-01-01T00:00:00+23:00"}, "time: expected a time with its zone"),
        ({"time": "9999-12-31T23:59:59-23:00"}, "time: expected a time with its zone"),
        ({"completed_at": "9999-12-31T23:30:00Z"}, "data.completed_at: expected a time with"),
        ({"time": "\uff12026-07-01T08:03:11Z"}, "time: expected a time with its zone"),
        ({"completed_at": "2027-01-01T00:00:00Z"}, "data.completed_at: "),
        ({"subject": "CO-0001"}, "subject: expected call_off:"),
        ({"study_ref": "1.2.840.1"}, "data.study_ref: expected hmac-sha256:"),
        ({"units": -1}, "data.units: "),
        ({"units": True}, "data.units: "),
        ({"latency_s": "long"}, "data.latency_s: "),
        ({"fault": "nobody"}, "data.fault: expected one of none, supplier, customer"),
        ({"requested_at": "2026-07-02T00:00:00Z", "latency_s": None}, "data.requested_at: "),
        ({"patient_name": "BERG^INGRID"}, 'data."patient_name": expected one of'),
    ],
)
def test_a_refusal_names_the_field_and_what_was_expected(
    change: dict[str, Any], field: str
) -> None:
    with pytest.raises(EventNotUnderstoodError) as refusal:
        read(completed(**change), now=NOW)
    assert str(refusal.value).startswith(field)


def test_a_time_may_be_written_in_small_letters() -> None:
    use = read(completed(time="2026-07-01t08:00:00z"), now=NOW)
    assert use.envelope.at == datetime(2026, 7, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("units", [0, 10_001, 1.5, None])
def test_a_correction_of_nothing_is_refused(units: Any) -> None:
    with pytest.raises(EventNotUnderstoodError, match=r"data\.delta_units"):
        read(adjusted(1, of=1, units=units), now=NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = st.sampled_from([*completed(), *completed()["data"], *adjusted(1, of=1, units=1)["data"]])


@given(event=JSON | st.dictionaries(NAMES, JSON), name=NAMES, value=JSON)
def test_whatever_is_sent_is_understood_or_refused_by_name(
    event: Any, name: str, value: Any
) -> None:
    for sent in (event, completed(**{name: value})):
        assert ": expected" in refusal_of(sent)


def refusal_of(sent: Any) -> str:
    try:
        return f"{read(sent, now=NOW)}: expected"
    except EventNotUnderstoodError as refusal:
        return str(refusal)
