"""`make demo` as a newcomer runs it: it checks itself, and says plainly why it cannot start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo.options import DOORS
from demo.phantoms import make_study, write_study
from tests.builders.studies import PATIENT
from tests.fakes.ports import free_ports

ROOT = Path(__file__).parents[2]


def run_demo(
    *words: object, state: Path, ports: list[int] | None = None
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    given = ports or free_ports(len(DOORS))
    doors = {door.variable: str(port) for door, port in zip(DOORS, given, strict=True)}
    return subprocess.run(
        [sys.executable, "-m", "demo", *map(str, words)],
        cwd=ROOT, env=kept | doors | {"HUB_STATE_DIR": str(state)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip


@pytest.mark.long
def test_the_morning_of_nine_trusts_comes_out_as_it_must(tmp_path: Path) -> None:
    done = run_demo("--once", state=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") >= 12
    assert "✗" not in done.stdout
    assert "Intracranial hemorrhage suspected" in done.stdout
    assert "Traceback" not in done.stderr
    lost = set(_summary(_shown_in_readme())) - set(_summary(done.stdout))
    # Which came first at the RIS is a matter of moments.
    assert [line for line in lost if "priority changes" not in line] == []


def _summary(output: str) -> list[str]:
    """The lines from the worklist on; before it stands what happened when."""
    lines = output.splitlines()
    start = lines.index("The worklist, in the order to read")
    end = max(place for place, line in enumerate(lines) if line.startswith("  ✓"))
    return lines[start : end + 1]


def _shown_in_readme() -> str:
    text = (ROOT / "README.md").read_text("utf-8")
    return text.split("<!-- demo output -->")[1].split("<!-- end of demo output -->")[0]


def test_a_taken_port_is_named_with_the_option_that_helps_and_nothing_is_touched(
    tmp_path: Path,
) -> None:
    ports = free_ports(len(DOORS))
    with socket.create_server(("127.0.0.1", ports[1])):
        done = run_demo("--once", state=tmp_path, ports=ports)
    assert done.returncode == 1
    assert f"Port {ports[1]} for the hub's DICOM listener is taken" in done.stdout
    assert "--dicom-port N" in done.stdout
    assert not done.stderr
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = run_demo("--once", state=tmp_path / "file")
    assert done.returncode == 1
    assert f"Nothing can be kept in {tmp_path}/file/demo" in done.stdout
    assert "HUB_STATE_DIR" in done.stdout


def test_two_doors_cannot_share_a_port(tmp_path: Path) -> None:
    ports = free_ports(len(DOORS))
    ports[4] = ports[2]
    done = run_demo("--once", state=tmp_path, ports=ports)
    assert done.returncode == 1
    assert "is given to the hub's HL7 listener already" in done.stdout


def test_a_folder_of_ones_own_is_sent_and_explained_and_not_kept(tmp_path: Path) -> None:
    study, state = tmp_path / "study", tmp_path / "state"
    write_study(study / "images", make_study("hand_dx", patient=PATIENT, accession_number="A7"))
    (study / "notes.txt").write_text("no image")
    done = run_demo("--once", "--study", study, "--site", "barum", state=state)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "notes.txt: no DICOM file" in done.stdout
    assert "First instance received from barum-pacs" in done.stdout
    assert "fracture-xray: wanted" in done.stdout
    assert not (state / "demo").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 128 + b"DICM", bytes(range(256)) * 9])
def test_a_folder_without_images_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "junk"
    folder.mkdir()
    (folder / "scan.dcm").write_bytes(content)
    done = run_demo("--study", folder, state=tmp_path / "state")
    assert done.returncode == 1
    assert f"No DICOM image in {folder}" in done.stdout
    assert not done.stderr
