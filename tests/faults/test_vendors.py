"""Algorithms that misbehave, through the whole way: told in a sentence, and nobody else harmed."""

from __future__ import annotations

import copy
import subprocess
from typing import Any

import pytest

from contracts.models import UsageEvent
from hub.phrases import render
from routing.models import Study, Workitem
from routing.places import spool, work_folder
from tests.builders.orders import order_message
from tests.builders.studies import another_head_ct, head_ct
from tests.routing.conftest import Place, place  # noqa: F401 (a fixture)
from tests.vendors.test_container import BUSYBOX, image, performer  # noqa: F401 (fixtures)

ODD = "tests.fakes.odd_algorithm"
QUOTA = 16 * 2**20
RESOURCES = {"cpu": "1", "memory": "64Mi"}
# what stands in the command line of all that the containers start
MARK = "1881.25"
SAY = (
    '{"schema": "hub.findings/1", "outcome": "complete", "findings": [{"code": {"value": "1386000",'
    ' "scheme": "SCT", "meaning": "Intracranial hemorrhage"}, "status": "absent"}]}'
)
WELL = f"echo '{SAY}' > /output/findings.json"
DD = "/bin/busybox dd if=/dev/zero bs=1M"
SCRIPTS = {
    "hangs": (f"/bin/busybox sleep {MARK}", "timed out after 3 s"),
    "hangs after its result": (f"{WELL}; /bin/busybox sleep {MARK}", "timed out after 3 s"),
    "forks without end": (
        f"b() {{ /bin/busybox sleep {MARK} & b & b; }}; b; /bin/busybox sleep {MARK}", "",
    ),
    "fills the disk": (
        f"for i in 1 2 3 4 5 6 7 8; do {DD} of=/output/$i count=9; done; {WELL}",
        "wrote more than the 16777216 bytes it may",
    ),
    "fills its scratch space": (f"{DD} of=/tmp/x count=4000; exit 3", ""),
    "returns two gigabytes": (
        f"{DD} of=/output/one.dcm count=2048; {WELL}",
        "wrote more than the 16777216 bytes it may",
    ),
}  # fmt: skip


def running(mark: str) -> str:
    done = subprocess.run(["ps", "ax"], capture_output=True, text=True)
    return "\n".join(line for line in done.stdout.splitlines() if mark in line)


def names_of_containers() -> str:
    done = subprocess.run(
        ["podman", "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True
    )
    return done.stdout


def containers_do(place: Place, image: str, script: str) -> None:  # noqa: F811
    manifest = copy.deepcopy(place.rows.version.manifest)
    manifest["performer"] = {
        "kind": "container", "image": image, "command": [BUSYBOX, "sh", "-c", script],
        "resources": RESOURCES, "timeout_seconds": 3,
    }  # fmt: skip
    manifest["returns"].pop("dicom", None)
    place.rows.version.manifest = manifest
    place.rows.version.save()


def last_try(place: Place) -> Workitem:  # noqa: F811
    """What comes of it when it fails for the last time."""
    place.order(order_message())
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="entitled").exists())
    Workitem.objects.update(attempts=2)
    place.time_passes()
    return place.workitem


def harmed_nobody(place: Place, item: Workitem) -> bool:  # noqa: F811
    """Whether the study can be read, nothing is left or sent, and nobody was billed."""
    assert item.state == "failed", render(item.why)
    assert item.study in Study.objects.unread()
    assert item.study.ai_state == "failed"
    assert "\n" not in render(item.why)
    assert len(render(item.why)) < 200
    assert not work_folder(item).exists()
    assert not [path for path in spool().path("objects/x").parent.rglob("*") if path.is_file()]
    assert item.uid.hex not in names_of_containers()
    assert place.nothing_was_sent()
    return True


def next_study_runs(place: Place) -> bool:  # noqa: F811
    """Whether another study gets its result, and that alone is told and billed."""
    failed = place.workitem
    place.send(another_head_ct(2))
    place.work()
    item = Workitem.objects.exclude(pk=failed.pk).get()
    assert item.state == "written_back", render(item.why)
    uid = item.study.study_instance_uid
    assert [str(one.StudyInstanceUID) for one in place.pacs.received] == [uid]
    assert place.results() == ["P"]
    assert str(UsageEvent.objects.get().event_id) == str(item.uid)
    return True


@pytest.mark.parametrize("does", SCRIPTS)
def test_a_container_that(
    place: Place, settings: Any, image: str, performer: Any, does: str  # noqa: F811
) -> None:
    settings.HUB_CONTAINER_ARGS = list(performer.args)
    settings.HUB_CONTAINER_RUN_ARGS = list(performer.run_args)
    settings.HUB_OUTPUT_BYTES = QUOTA
    script, why = SCRIPTS[does]
    containers_do(place, image, script)
    item = last_try(place)
    assert why in render(item.why)
    assert harmed_nobody(place, item)
    assert running(MARK) == ""
    containers_do(place, image, WELL)
    assert next_study_runs(place)


RETURNED = {
    ("bomb", "700"): "deflated from more bytes than are ever looked at",
    ("large", "2048"): "wrote more than the 16777216 bytes it may",
    ("other_patient",): "the result is of another patient",
    ("own_uid", "PatientID", "P"): "the result is of another patient",
    ("other_study",): "the result is of another study",
    ("report_script",): "it holds text that a browser would run",
}


@pytest.mark.parametrize("behaviour", RETURNED, ids="-".join)
def test_a_process_that_returns(place: Place, settings: Any, behaviour: tuple[str, ...]) -> None:  # noqa: F811
    settings.HUB_OUTPUT_BYTES = QUOTA
    place.algorithm_does(*behaviour, module=ODD)
    item = last_try(place)
    assert RETURNED[behaviour] in render(item.why)
    assert harmed_nobody(place, item)
    assert running(f"{ODD} {behaviour[0]}") == ""
    place.algorithm_does("present")
    assert next_study_runs(place)
