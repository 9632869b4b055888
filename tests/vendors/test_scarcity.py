"""A run for which the system has no file or process at the moment is not called a failed one."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.passing import is_scarcity
from tests.fakes.scarcity import no_more_files
from tests.vendors.runs import make_run, wait_for
from vendors.performers import process
from vendors.performers.attendant import read_answer
from vendors.performers.base import Performer, SubmitFailed, performer_for
from vendors.performers.container import ContainerPerformer
from vendors.performers.files import bytes_below
from vendors.performers.warm_slots import slot_of


@pytest.fixture
def performer() -> Performer:
    return performer_for("process", {"process": {"is_allowed": True}})


def test_a_process_that_cannot_be_started_now_is_started_later(
    performer: Performer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was half begun is not taken for a run that was lost."""
    run = make_run(tmp_path, "wi-1", ("true",))
    with monkeypatch.context() as patched:
        # A program that ends at once, as the shim does where it cannot fork.
        patched.setattr(process, "SHIM", tmp_path / "no-such-shim.py")
        with pytest.raises(SubmitFailed):
            performer.submit(run)
    assert performer.poll(run).state == "unknown"
    performer.submit(run)
    assert wait_for(performer, run).state == "succeeded"
    performer.cleanup(run)


def test_of_a_process_nothing_is_said_while_nobody_can_look(
    performer: Performer, tmp_path: Path
) -> None:
    run = make_run(tmp_path, "wi-1", ("sh", "-c", "sleep 60"))
    with no_more_files(), pytest.raises(SubmitFailed) as refused:
        performer.submit(run)
    assert is_scarcity(refused.value)
    performer.submit(run)
    with no_more_files():
        with pytest.raises(OSError, match="Too many open files"):
            performer.poll(run)
        with pytest.raises(SubmitFailed) as refused:
            performer.cancel(run)
    assert is_scarcity(refused.value)
    assert performer.poll(run).state == "running"
    performer.cancel(run)
    assert performer.poll(run).state == "unknown"


def test_a_program_that_cannot_be_started_now_is_tried_again(
    performer: Performer, tmp_path: Path
) -> None:
    """Open for writing, as while it is being put there."""
    program = tmp_path / "program"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    run = make_run(tmp_path, "wi-1", (str(program),))
    with program.open("ab"):
        performer.submit(run)
        progress = wait_for(performer, run)
    assert (progress.exit_code, progress.is_retryable) == (75, True)
    performer.cleanup(run)


@pytest.mark.parametrize("said", ["fork: Resource temporarily unavailable", "Too many open files"])
@pytest.mark.parametrize("code", [125, 126, 127])
def test_an_engine_that_lacks_something_is_waited_for(
    tmp_path: Path, said: str, code: int
) -> None:
    engine = tmp_path / "engine"
    engine.write_text(
        "#!/bin/sh\n"
        'case "$*" in *" run "*|run*) echo "Error: $SAID" >&2; exit $CODE;; esac\n'
        "echo Error: no such container >&2; exit 125\n".replace("$SAID", said)
        .replace("$CODE", str(code))
    )
    engine.chmod(0o755)
    image = "registry.example/x@sha256:" + "0" * 64
    run = make_run(tmp_path, "wi-1", (), kind="container", image=image)
    with pytest.raises(SubmitFailed) as refused:
        ContainerPerformer(command=(str(engine),)).submit(run)
    assert (refused.value.is_away, refused.value.is_permanent) == (True, False)


def test_a_folder_is_not_called_empty_while_nobody_can_look(tmp_path: Path) -> None:
    """Neither is an input opened to an algorithm that would then find nothing it may read."""
    (tmp_path / "x").write_bytes(b"x")
    with no_more_files(), pytest.raises(OSError, match="Too many open files"):
        bytes_below(tmp_path)
    with no_more_files(), pytest.raises(OSError, match="Too many open files"):
        slot_of(tmp_path, 1)
    assert bytes_below(tmp_path) > 0


def test_an_answer_that_cannot_be_opened_now_is_not_called_unread(tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_bytes(b"{}")
    with no_more_files():
        assert read_answer(str(answer)) is None
    assert read_answer(str(answer)) == b"{}"
