"""Warm serving over the process performer: one server, many runs, none learns of another."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.waiting import until
from vendors.manifest import Manifest, ManifestInvalid, PerformerSpec
from vendors.performers import warm
from vendors.performers.base import Limits, Progress, Run, SubmitFailed
from vendors.performers.process import ProcessPerformer
from vendors.performers.warm import WarmPerformer

ROOT = Path(__file__).parents[2]
SPEC = PerformerSpec(
    "process", command=("python", "-m", "tests.fakes.warm_algorithm"), timeout_seconds=20,
    serving="warm", most_servers=2,
)  # fmt: skip


@pytest.fixture
def performer(tmp_path: Path) -> Iterator[WarmPerformer]:
    made = WarmPerformer(ProcessPerformer(program_dir=ROOT), tmp_path / "warm")
    yield made
    for group in ("mine", "theirs"):
        for slot in made._slots(group, SPEC):
            if slot.has_server:
                made._stop(slot, SPEC)


def run_of(
    tmp_path: Path, name: str, behaviour: str = "", *, group: str = "mine", seconds: int = 20
) -> Run:
    folder = tmp_path / name
    for place in ("input", "output", "work"):
        (folder / place).mkdir(parents=True)
    (folder / "input" / "patient.txt").write_text(f"patient of {name}")
    if behaviour:
        (folder / "input" / "behaviour.txt").write_text(behaviour)
    return Run(
        name, replace(SPEC, timeout_seconds=seconds), folder / "input", folder / "output",
        folder / "work", Limits(least_free_bytes=0), group=group,
    )  # fmt: skip


def ended(performer: WarmPerformer, run: Run) -> Progress:
    performer.submit(run)
    until(lambda: performer.poll(run).is_over, "the run is over", seconds=60)
    return performer.poll(run)


def note_of(run: Run) -> dict[str, object]:
    return dict(json.loads((run.output_dir / "note.json").read_text()))


def files_below(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_one_server_takes_one_run_after_another_and_finds_nothing_of_the_last(
    performer: WarmPerformer, tmp_path: Path
) -> None:
    first, second = run_of(tmp_path, "a"), run_of(tmp_path, "b")
    assert ended(performer, first).state == "succeeded"
    assert "patient.txt" not in files_below(tmp_path / "warm")
    assert ended(performer, second).state == "succeeded"
    one, two = note_of(first), note_of(second)
    assert one["pid"] == two["pid"]
    assert (one["number"], two["number"]) == (1, 2)
    assert "a" not in two["seen"]  # type: ignore[operator]
    performer.cleanup(first)
    performer.cleanup(second)
    assert performer.poll(second).state == "unknown"


def test_two_organisations_never_share_a_server(performer: WarmPerformer, tmp_path: Path) -> None:
    mine, theirs = run_of(tmp_path, "a"), run_of(tmp_path, "b", group="theirs")
    assert ended(performer, mine).state == ended(performer, theirs).state == "succeeded"
    assert note_of(mine)["pid"] != note_of(theirs)["pid"]
    assert note_of(theirs)["number"] == 1


def test_a_run_of_nobody_is_given_to_no_server(performer: WarmPerformer, tmp_path: Path) -> None:
    with pytest.raises(SubmitFailed, match="it is not known whose run it is"):
        performer.submit(run_of(tmp_path, "a", group=""))
    assert files_below(tmp_path / "warm") == set()


def test_a_server_that_dies_fails_its_own_run_alone_and_is_started_anew(
    performer: WarmPerformer, tmp_path: Path
) -> None:
    before, fatal = run_of(tmp_path, "a"), run_of(tmp_path, "b", "die")
    after = run_of(tmp_path, "c")
    assert ended(performer, before).state == "succeeded"
    lost = ended(performer, fatal)
    assert (lost.state, lost.is_retryable) == ("failed", True)
    assert lost.why == "the warm server ended: ended with exit code 9"
    # the log tells of the run before as well
    assert lost.log_tail == ()
    assert "patient.txt" not in files_below(tmp_path / "warm")
    assert ended(performer, after).state == "succeeded"
    assert note_of(after)["number"] == 1
    assert note_of(after)["pid"] != note_of(before)["pid"]


def test_a_server_that_hangs_is_killed_after_the_time_of_one_run(
    performer: WarmPerformer, tmp_path: Path
) -> None:
    first = run_of(tmp_path, "a")
    ended(performer, first)
    stuck = ended(performer, run_of(tmp_path, "b", "hang", seconds=1))
    assert (stuck.state, stuck.why, stuck.is_retryable) == ("failed", "timed out after 1 s", True)
    until(lambda: not _is_alive(int(str(note_of(first)["pid"]))), "the server is gone")
    assert ended(performer, run_of(tmp_path, "c")).state == "succeeded"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_what_the_algorithm_says_of_a_failure_is_told(
    performer: WarmPerformer, tmp_path: Path
) -> None:
    failed = ended(performer, run_of(tmp_path, "a", "fail"))
    assert (failed.state, failed.exit_code, failed.why) == ("failed", 3, "it is broken")
    assert failed.is_retryable


def test_as_many_run_at_once_as_there_are_servers_and_no_more(
    performer: WarmPerformer, tmp_path: Path
) -> None:
    first, second = run_of(tmp_path, "a", "hang"), run_of(tmp_path, "b", "hang")
    performer.submit(first)
    performer.submit(first)
    performer.submit(second)
    with pytest.raises(SubmitFailed, match="all 2 servers are at work"):
        performer.submit(run_of(tmp_path, "c"))
    performer.cancel(first)
    assert performer.poll(first).state == "unknown"
    assert performer.poll(second).state == "running"
    performer.cancel(second)
    assert "patient.txt" not in files_below(tmp_path / "warm")


def test_servers_are_kept_between_the_bounds(
    performer: WarmPerformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(performer, run_of(tmp_path, "a"))
    assert performer.tend("mine", SPEC) == 0
    monkeypatch.setattr(warm, "IDLE_SECONDS", -1.0)
    assert performer.tend("mine", replace(SPEC, least_servers=1)) == 0
    assert performer.tend("mine", SPEC) == 1
    [slot] = [slot for slot in performer._slots("mine", SPEC) if slot.folder.exists()]
    assert not slot.has_server
    assert performer.tend("mine", replace(SPEC, least_servers=1)) == 1
    assert slot.has_server


def test_an_answer_that_is_none_is_a_failure_and_ends_its_server(
    performer: WarmPerformer, tmp_path: Path
) -> None:
    run = run_of(tmp_path, "a", "hang")
    performer.submit(run)
    [slot] = [slot for slot in performer._slots("mine", SPEC) if slot.given]
    (slot.mailbox / "response.json").symlink_to("/etc/passwd")
    told = performer.poll(run)
    assert (told.state, told.why) == ("failed", "the warm server's answer cannot be read")
    assert (told.is_retryable, slot.has_server) == (True, False)
    assert "patient.txt" not in files_below(tmp_path / "warm")
    # it would have hung for ten minutes
    assert ended(performer, run_of(tmp_path, "b")).state == "succeeded"


def manifest(**performer: object) -> dict[str, object]:
    code = {"value": "1", "scheme": "SCT", "meaning": "x"}
    return {
        "schema": "hub.manifest/1", "algorithm": "a", "version": "1", "needs": {},
        "performer": {"kind": "process", "command": ["a"]} | performer,
        "returns": {"findings": [{"code": code}]},
    }  # fmt: skip


def test_a_manifest_declares_bounds_that_hold_something() -> None:
    spec = Manifest.from_json(manifest(serving="warm", min=1, max=3, concurrency=9)).performer
    assert (spec.is_warm, spec.least_servers, spec.most_servers, spec.runs_at_once) == (
        True, 1, 3, 3,
    )  # fmt: skip
    for wrong, told in (
        ({"serving": "warm", "min": 3, "max": 2}, "performer.min: expected not above max"),
        ({"max": 2}, "performer.max: expected only with serving: warm"),
        ({"serving": "hot"}, "performer.serving: expected one of each, warm"),
    ):
        with pytest.raises(ManifestInvalid, match=told):
            Manifest.from_json(manifest(**wrong))  # type: ignore[arg-type]
