"""What a report holds of what an algorithm found."""

from __future__ import annotations

from io import BytesIO

import pydicom

from routing import reports
from routing.models import Finding, Workitem
from tests.builders.studies import head_ct, send
from tests.routing.conftest import Place


def test_a_report_holds_the_outlines_worth_opening_and_no_thousands(place: Place) -> None:
    send(place.rows.pacs, head_ct())
    place.work()
    finding = Finding.objects.get()
    finding.regions = finding.regions * 300
    finding.save()
    (report,) = reports.build(Workitem.objects.get())
    dataset = pydicom.dcmread(BytesIO(report.dataset_bytes))
    assert len(_outlines(dataset)) == reports.MOST_REGIONS


def _outlines(dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    found = []
    for item in dataset.get("ContentSequence", []):
        if item.get("ValueType") == "SCOORD":
            found.append(item)
        found += _outlines(item)
    return found
