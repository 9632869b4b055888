"""What a report holds of what an algorithm found."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest

from routing import reports
from routing.models import Finding, Workitem
from tests.builders.studies import head_ct, send
from tests.routing.conftest import Place

pytestmark = pytest.mark.once

def test_a_report_holds_the_outlines_worth_opening_and_no_thousands(place: Place) -> None:
    send(place.rows.pacs, head_ct())
    place.work()
    finding = Finding.objects.get()
    finding.regions = finding.regions * 300
    finding.save()
    (report,) = reports.build(Workitem.objects.get())
    dataset = pydicom.dcmread(BytesIO(report.dataset_bytes))
    assert len(_outlines(dataset)) == reports.MOST_REGIONS


def test_a_report_of_many_findings_holds_one_outline_of_each_at_least(place: Place) -> None:
    send(place.rows.pacs, head_ct())
    place.work()
    first = Finding.objects.get()
    regions = first.regions * 40
    Finding.objects.update(regions=regions)
    for ordinal in range(1, 100):
        first.pk, first.ordinal, first.tracking_id = None, ordinal, f"ICH-{ordinal + 1}"
        first.regions = regions
        first.save()
    (report,) = reports.build(Workitem.objects.get())
    dataset = pydicom.dcmread(BytesIO(report.dataset_bytes))
    assert len(_outlines(dataset)) == reports.MOST_REGIONS_IN_ALL


def _outlines(dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    found = []
    for item in dataset.get("ContentSequence", []):
        if item.get("ValueType") == "SCOORD":
            found.append(item)
        found += _outlines(item)
    return found
