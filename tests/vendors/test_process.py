"""A run as a process: started once, outlives its worker, held to its limits, stopped whole."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.fakes.scarcity import no_more_files
from tests.vendors.runs import make_run, wait_for, wait_until
from vendors.manifest import Resources
from vendors.performers.base import Limits, PerformerRefused, Run, known_kinds, performer_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def performer():
    return performer_for("process", {"process": {"is_allowed": True}})


@pytest.fixture
def run(tmp_path, performer):
    """Makes a run and, at the end, leaves nothing of it behind."""
    made = []

    def make(*command, **spec):
        made.append(make_run(tmp_path, "wi-1", command, **spec))
        return made[-1]

    yield make
    for one in made:
        performer.cancel(one)


def pids_with(mark):
    """Processes whose command line holds ``mark``, those that only wait to be buried left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_a_run_that_ends_well_succeeds_with_its_log_and_times(performer, run):
    one = run("sh", "-c", "echo hello; echo there >&2; cat $HUB_INPUT_DIR/x > $HUB_OUTPUT_DIR/y")
    (one.input_dir / "x").write_text("in")
    performer.submit(one)
    progress = wait_for(performer, one)
    assert (progress.state, progress.exit_code, progress.why) == ("succeeded", 0, "")
    assert progress.log_tail == ("hello", "there")
    assert progress.started_at <= progress.finished_at
    assert (one.output_dir / "y").read_text() == "in"


@pytest.mark.parametrize(("code", "is_retryable"), [(1, True), (3, True), (64, False), (78, False)])
def test_a_failed_run_tells_its_exit_code_and_whether_to_try_again(
    performer, run, code, is_retryable
):
    one = run("sh", "-c", f"exit {code}")
    performer.submit(one)
    progress = wait_for(performer, one)
    assert (progress.state, progress.exit_code) == ("failed", code)
    assert progress.is_retryable is is_retryable


def test_a_program_that_is_not_there_is_told_and_not_tried_again(performer, run):
    one = run("no-such-program")
    performer.submit(one)
    progress = wait_for(performer, one)
    assert "could not be started" in progress.why
    assert not progress.is_retryable


def test_the_hubs_secrets_do_not_reach_the_algorithm(performer, run, monkeypatch):
    monkeypatch.setenv("HUB_SECRET_KEY", "do-not-tell")
    one = run("sh", "-c", "env > $HUB_OUTPUT_DIR/env")
    performer.submit(one)
    wait_for(performer, one)
    env = (one.output_dir / "env").read_text()
    assert "do-not-tell" not in env
    assert f"HUB_INPUT_DIR={one.input_dir}" in env
    assert "OMP_NUM_THREADS=1" in env


def test_submitting_from_many_threads_and_again_later_starts_one(performer, run):
    one = run("sh", "-c", "echo x >> $HUB_OUTPUT_DIR/starts")
    threads = [threading.Thread(target=performer.submit, args=(one,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(performer, one)
    performer.submit(one)
    assert wait_for(performer, one).state == "succeeded"
    assert (one.output_dir / "starts").read_text() == "x\n"


def test_a_run_past_its_time_is_killed_with_all_its_children(performer, run):
    one = run("sh", "-c", "sleep 61.25 & sleep 61.25", timeout_seconds=1)
    performer.submit(one)
    progress = wait_for(performer, one)
    assert progress.why == "timed out after 1 s"
    wait_until(lambda: not pids_with("61.25"))


def test_a_run_over_its_memory_is_killed_and_told_apart(performer, run):
    program = "x = bytearray(200 * 2**20); import time; time.sleep(30)"
    one = run(sys.executable, "-c", program, resources=Resources(memory="64Mi"))
    performer.submit(one)
    progress = wait_for(performer, one)
    assert progress.why == "out of memory: the limit is 64Mi"


def test_a_run_that_fills_the_disk_is_stopped(performer, run):
    one = run(
        "sh", "-c", "for i in 1 2 3 4; do head -c 900000 /dev/zero > $HUB_OUTPUT_DIR/$i; done;"
        "sleep 62.25", limits=Limits(output_bytes=1_000_000),
    )  # fmt: skip
    performer.submit(one)
    assert "more than the 1000000 bytes" in wait_for(performer, one).why
    assert not pids_with("62.25")


@pytest.mark.parametrize(
    ("folder", "where"), [("HUB_OUTPUT_DIR", ""), ("TMPDIR", " to its scratch folder")]
)
def test_a_file_that_outgrows_its_folder_and_ends_the_run_is_told_as_that(
    performer, run, folder, where
):
    limits = Limits(output_bytes=1_000_000, scratch_bytes=1_000_000)
    one = run("sh", "-c", f"head -c 20000000 /dev/zero > ${folder}/x; exit 3", limits=limits)
    performer.submit(one)
    progress = wait_for(performer, one)
    assert progress.why == f"wrote more than the 1000000 bytes it may{where}"
    assert not progress.is_retryable
    assert sum(path.stat().st_size for path in one.work_dir.parent.rglob("x")) < 3_000_000


def test_scratch_space_that_is_filled_is_seen_while_the_run_goes_on(performer, run):
    one = run(
        "sh", "-c", "for i in 1 2 3 4; do head -c 900000 /dev/zero > $TMPDIR/$i; done; sleep 65.25",
        limits=Limits(scratch_bytes=1_000_000),
    )  # fmt: skip
    performer.submit(one)
    assert "to its scratch folder" in wait_for(performer, one).why
    assert not pids_with("65.25")


# Each starts two that leave session and parent behind, within a bound that spares the host.
BOMB = """
import os, sys, time
def burst(left):
    for _ in range(2):
        if left and not os.fork():
            os.setsid()
            if os.fork():
                os._exit(0)
            burst(left - 1)
            time.sleep(66.25)
burst(int(sys.argv[1]))
time.sleep(66.25)
"""


def test_processes_without_end_are_stopped_wherever_they_put_themselves(performer, run):
    one = run(sys.executable, "-c", BOMB, "9", limits=Limits(process_count=30))
    performer.submit(one)
    progress = wait_for(performer, one)
    assert progress.why == "started more than 30 processes"
    assert not progress.is_retryable
    assert pids_with("66.25") == []


def test_what_a_run_leaves_behind_ends_with_it(performer, run):
    one = run("sh", "-c", "(setsid sleep 67.25 &) ; sleep 0.3")
    performer.submit(one)
    assert wait_for(performer, one).state == "succeeded"
    assert pids_with("67.25") == []


def test_a_log_without_end_is_kept_short_with_its_last_lines(performer, run):
    one = run("seq", "1", "300000", limits=Limits(log_bytes=100_000))
    performer.submit(one)
    progress = wait_for(performer, one)
    assert progress.log_tail[-1] == "300000"
    assert len(progress.log_tail) == 50
    kept = sum(path.stat().st_size for path in (one.work_dir / "process").glob("log*"))
    assert kept < 250_000


def submit_elsewhere_and_die(one):
    """Submit from another process, which kills itself with -9 at once."""
    program = (
        "import os, sys; from pathlib import Path\n"
        "from vendors.manifest import PerformerSpec\n"
        "from vendors.performers.base import Run, performer_for\n"
        "folder = Path(sys.argv[1])\n"
        "spec = PerformerSpec(kind='process', command=tuple(sys.argv[2:]), timeout_seconds=20)\n"
        "run = Run('wi-1', spec, folder / 'input', folder / 'output', folder / 'work')\n"
        "performer_for('process', {'process': {'is_allowed': True}}).submit(run)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    folder = str(one.work_dir.parent)
    done = subprocess.run([sys.executable, "-c", program, folder, *one.spec.command], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL


def test_a_run_goes_on_when_its_worker_is_killed(performer, run):
    one = run("sh", "-c", "sleep 0.5; echo done > $HUB_OUTPUT_DIR/x; exit 3")
    submit_elsewhere_and_die(one)
    assert performer.poll(one).state == "running"
    performer.submit(one)
    assert wait_for(performer, one).exit_code == 3
    assert (one.output_dir / "x").read_text() == "done\n"


def test_a_run_whose_shim_was_killed_is_told_as_lost_and_nothing_goes_on(performer, run):
    one = run("sh", "-c", "sleep 63.25 & setsid sleep 63.25 & wait")
    performer.submit(one)
    wait_until(lambda: len(pids_with("63.25")) >= 2)
    (shim,) = pids_with(str(one.work_dir / "process"))
    os.kill(shim, signal.SIGKILL)
    progress = wait_for(performer, one)
    assert progress.why.startswith("the process was lost")
    assert progress.is_retryable
    wait_until(lambda: not pids_with("63.25"))


def test_a_worker_killed_between_the_marker_and_the_start_is_told_as_lost(performer, run):
    one = run("true")
    control = one.work_dir / "process"
    control.mkdir()
    (control / "job.json").write_text('{"half')
    assert performer.poll(one).is_retryable


def test_cancel_stops_everything_forgets_the_run_and_may_be_repeated(performer, run):
    one = run("sh", "-c", "trap '' TERM; setsid sleep 64.25 & sleep 64.25")
    performer.submit(one)
    wait_until(lambda: len(pids_with("64.25")) >= 2)
    performer.cancel(one)
    performer.cancel(one)
    wait_until(lambda: not pids_with("64.25"))
    assert performer.poll(one).state == "unknown"
    assert list(one.work_dir.iterdir()) == []


def test_a_run_that_nobody_started_is_unknown_and_stays_so(performer, run):
    one = run("touch", "x")
    assert performer.poll(one).state == "unknown"
    assert list(one.work_dir.iterdir()) == []


@pytest.mark.parametrize("settings", [{}, {"is_allowed": False}, {"is_allowed": "yes"}])
def test_a_process_is_refused_unless_the_settings_allow_it_outright(settings):
    with pytest.raises(PerformerRefused):
        performer_for("process", {"process": settings})


@pytest.mark.parametrize("kind", ["base", "shim", "files", "telepathy", "../x"])
def test_only_a_way_of_running_is_a_performer(kind):
    with pytest.raises(PerformerRefused):
        performer_for(kind, {})
    assert {"process", "container"} <= set(known_kinds())


def test_a_process_that_can_open_no_more_files_knows_the_ways_of_running_all_the_same():
    before = known_kinds()
    with no_more_files():
        assert known_kinds() == before
        assert performer_for("process", {"process": {"is_allowed": True}})


def test_a_run_cannot_be_named_as_an_option_or_a_path(tmp_path):
    spec = make_run(tmp_path, "wi-1", ["true"]).spec
    for name in ("--privileged", "../x", "", "a b", "A", "x" * 101):
        with pytest.raises(ValueError, match="named"):
            Run(name, spec, tmp_path, tmp_path, tmp_path)


def test_an_end_by_a_signal_without_a_name_is_told_by_its_number(performer, run):
    one = run(sys.executable, "-c", "import os; os.kill(os.getpid(), 40)")
    performer.submit(one)
    progress = wait_for(performer, one)
    assert (progress.state, progress.why) == ("failed", "killed by signal 40")
    assert progress.is_retryable


def test_a_disk_that_runs_full_is_kept_for_the_hub(performer, run):
    one = run("sleep", "78.25", limits=Limits(least_free_bytes=2**62))
    performer.submit(one)
    progress = wait_for(performer, one)
    assert progress.why == "stopped because the disk of the hub was nearly full"
    assert progress.is_retryable
    assert pids_with("78.25") == []
