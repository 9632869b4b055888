"""The image of the example algorithms, as a vendor would build it, behind the walls of a run."""

from __future__ import annotations

import copy
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.phrases import render
from routing.models import Finding
from routing.places import work_folder
from tests.builders import worker
from tests.builders.studies import head_ct
from tests.fakes.running_hub import ROOT
from tests.image.engine import NARROW, base_image, must, podman
from tests.routing.conftest import Place, place  # noqa: F401 (a fixture)
from tests.vendors.runs import make_run, wait_for
from vendors.manifest import Resources
from vendors.performers.base import Performer, Progress, Run, performer_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
EXAMPLES = ROOT / "examples" / "algorithms"
# A Python with pip, as in the image that vendors begin with; packages come from a folder.
PYTHON = """
FROM {base}
RUN python -m venv /opt/python
ENV PATH=/opt/python/bin:/usr/bin:/bin PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
"""
PLACES = (
    "/", "/app", "/app/examples", "/opt/python", "/etc", "/usr", "/usr/lib", "/var", "/var/tmp",
    "/run", "/home", "/root", "/mnt", "/srv", "/dev", "/proc/sys", "/sys", "/input",
    "/input/dicom", "/output", "/tmp", "/dev/shm",
)  # fmt: skip
WRITE = f"""
import pathlib
for place in {PLACES!r}:
    try:
        (pathlib.Path(place) / "x").write_text("x")
        print("wrote", place)
    except OSError:
        pass
"""
REACH = """
import socket, sys
for address in (("1.1.1.1", 53), ("127.0.0.1", int(sys.argv[1])), ("10.88.0.1", int(sys.argv[1]))):
    try:
        socket.create_connection(address, timeout=3)
        print("reached", address)
    except OSError as error:
        print("no way", error.errno is not None or "timed out")
try:
    print("resolved", socket.gethostbyname("example.org"))
except OSError:
    pass
print([name for _, name in socket.if_nameindex()], "tried")
"""
MARK = "1882.5"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The examples' own Containerfile, built without a network on Debian's Python; by digest."""
    if not shutil.which("podman"):
        pytest.skip("podman is missing")
    folder = tmp_path_factory.mktemp("image")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:",
         "--python-version", "3.11", "--requirement", EXAMPLES / "requirements.txt",
         "--dest", folder / "wheels"],
        check=True, timeout=900, capture_output=True,
    )  # fmt: skip
    (folder / "Containerfile").write_text(PYTHON.format(base=base_image(folder)))
    common = ("build", *NARROW, "--network", "none", "--volume", f"{folder}/wheels:/wheels:ro")
    must(*common, "--tag", "localhost/hub-python", str(folder), seconds=900)
    must(
        *common, "--build-arg", "BASE=localhost/hub-python", "--tag", "localhost/hub-examples",
        "--file", str(EXAMPLES / "Containerfile"), str(ROOT), seconds=900,
    )  # fmt: skip
    return must("image", "inspect", "localhost/hub-examples", "--format",
                "{{index .RepoDigests 0}}")  # fmt: skip


@pytest.fixture(scope="session")
def performer() -> Performer:
    settings = {"args": ["--runtime", "runc"], "run_args": list(NARROW)}
    return performer_for("container", {"container": settings})


Outcome = Callable[..., tuple[Run, Progress]]


@pytest.fixture
def outcome(tmp_path: Path, image: str, performer: Performer) -> Iterator[Outcome]:
    """What becomes of a Python program in the image."""
    made: list[Run] = []

    def run(program: str, *arguments: str, memory: str = "256Mi", seconds: int = 60) -> Any:
        command = ["python", "-c", program, *arguments]
        name = f"test-{time.monotonic_ns()}"
        one = make_run(
            tmp_path, name, command, kind="container", image=image, timeout_seconds=seconds,
            resources=Resources(memory=memory),
        )  # fmt: skip
        made.append(one)
        performer.submit(one)
        return one, wait_for(performer, one, seconds=200)

    yield run
    for one in made:
        performer.cancel(one)
        assert one.name not in podman("ps", "--all", "--format", "{{.Names}}").stdout
    assert MARK not in subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout


def test_the_example_finds_its_bleed_the_whole_way_and_leaves_nothing(
    place: Place, settings: Any, image: str, performer: Any  # noqa: F811
) -> None:
    settings.HUB_CONTAINER_ARGS = list(performer.args)
    settings.HUB_CONTAINER_RUN_ARGS = list(performer.run_args)
    told = EXAMPLES / "manifests" / "head-ct-bleed-1.0.0.container.json"
    manifest = copy.deepcopy(place.rows.version.manifest)
    manifest["performer"] = json.loads(told.read_text())["performer"] | {"image": image}
    manifest["returns"].pop("dicom", None)
    place.rows.version.manifest = manifest
    place.rows.version.save()
    place.send(head_ct())
    worker.drain(seconds=240)
    item = place.workitem
    assert item.state == "written_back", render(item.why)
    assert Finding.objects.filter(workitem=item, status="present").exists()
    assert len(place.pacs.received) == 1
    assert not work_folder(item).exists()
    assert item.uid.hex not in podman("ps", "--all", "--format", "{{.Names}}").stdout


def test_it_reaches_nobody_neither_outside_nor_on_the_host(outcome: Outcome) -> None:
    with socket.create_server(("0.0.0.0", 0)) as host:
        _run, progress = outcome(REACH, str(host.getsockname()[1]))
        log = progress.log_tail
        assert progress.state == "succeeded", log
        assert log[-1] == "['lo'] tried"
        assert not [line for line in log if line.startswith(("reached", "resolved"))]
        host.settimeout(0.2)
        with pytest.raises(TimeoutError):
            host.accept()


def test_it_writes_to_its_output_and_to_memory_alone(outcome: Outcome) -> None:
    run, progress = outcome(WRITE)
    assert progress.log_tail == ("wrote /output", "wrote /tmp", "wrote /dev/shm")
    assert [one.name for one in run.output_dir.iterdir()] == ["x"]
    assert not [one for one in run.input_dir.rglob("x") if one.is_file()]


def test_over_its_memory_it_is_killed_and_the_limit_is_told(outcome: Outcome) -> None:
    _run, progress = outcome("import numpy; numpy.ones(2**30); print('survived')")
    assert (progress.state, "survived" in progress.log_tail) == ("failed", False)
    assert progress.why.endswith("out of memory: the limit is 256Mi")


def test_past_its_time_it_is_killed_with_all_that_it_started(outcome: Outcome) -> None:
    program = f"import subprocess, time; subprocess.Popen(['sleep', '{MARK}']); time.sleep({MARK})"
    _run, progress = outcome(program, seconds=3)
    assert progress.why == "timed out after 3 s"
