"""A run in a real container: what it is kept from, by trying it, and what is left of it."""

import dataclasses
import os
import shutil
import subprocess
import threading
import time

import pytest

from tests.vendors.runs import make_run, wait_for
from vendors.manifest import Resources
from vendors.performers.base import Limits, SubmitFailed, performer_for
from vendors.performers.warm import WarmPerformer

pytestmark = pytest.mark.peer
BUSYBOX = "/bin/busybox"
PLAIN, NARROW = (
    {},
    {
        "args": ["--runtime", "runc"],
        "run_args": ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"],
    },
)


def unfit(reason):
    if os.environ.get("HUB_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def podman(*arguments):
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def is_static(path):
    return path and b"ld-linux" not in open(path, "rb").read(4096)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """An image that holds busybox and nothing else, by digest."""
    busybox = shutil.which("busybox")
    if not shutil.which("podman") or not is_static(busybox):
        unfit("podman or a static busybox is missing")
    folder = tmp_path_factory.mktemp("image")
    shutil.copy(busybox, folder / "busybox")
    (folder / "Containerfile").write_text("FROM scratch\nCOPY busybox /bin/busybox\n")
    code, _, error = podman("build", "-q", "-t", "localhost/hub-test", str(folder))
    if code:
        unfit(f"podman cannot build: {error}")
    return podman("image", "inspect", "localhost/hub-test", "--format",
                  "{{index .RepoDigests 0}}")[1]  # fmt: skip


@pytest.fixture(scope="module")
def performer(image):
    """With the arguments that this host needs to run a container at all."""
    for settings in (PLAIN, NARROW):
        global_args, run_args = settings.get("args", []), settings.get("run_args", [])
        if podman(*global_args, "run", "--rm", *run_args, image, BUSYBOX, "true")[0] == 0:
            return performer_for("container", {"container": settings})
    return unfit("podman cannot run a container here")


@pytest.fixture
def run(tmp_path, image, performer):
    made = []

    def make(script, **spec):
        spec = {"kind": "container", "image": image, "resources": Resources(memory="64Mi")} | spec
        name = f"test-{os.getpid()}-{time.monotonic_ns()}"
        command = spec.pop("command", [BUSYBOX, "sh", "-c", script])
        made.append(make_run(tmp_path, name, command, **spec))
        return made[-1]

    yield make
    for one in made:
        performer.cancel(one)


def outcome_of(performer, one):
    performer.submit(one)
    return wait_for(performer, one, seconds=60)


def containers_of(one):
    return podman("ps", "--all", "--quiet", "--filter", f"name=hub-{one.name}")[1].split()


def test_it_reads_the_input_and_writes_the_output(performer, run):
    one = run("/bin/busybox cp $HUB_INPUT_DIR/dicom/x $HUB_OUTPUT_DIR/y; echo hello")
    folder = one.input_dir / "dicom"
    folder.mkdir(mode=0o700)
    (folder / "x").write_text("in")
    (folder / "x").chmod(0o600)
    progress = outcome_of(performer, one)
    assert (progress.state, progress.why, progress.exit_code) == ("succeeded", "", 0)
    assert progress.log_tail == ("hello",)
    assert progress.started_at <= progress.finished_at
    assert (one.output_dir / "y").read_text() == "in"


def test_it_has_no_network(performer, run):
    one = run(
        "/bin/busybox ip -o link; /bin/busybox wget -T 3 -O- http://1.1.1.1/ && echo GOT-OUT;"
        "/bin/busybox nslookup example.org && echo GOT-NAME; echo tried"
    )
    log = "\n".join(outcome_of(performer, one).log_tail)
    assert "tried" in log
    assert "GOT-OUT" not in log
    assert "GOT-NAME" not in log
    assert "eth0" not in log


def test_it_can_write_only_to_the_output_and_to_tmp(performer, run):
    one = run(
        "for place in / /bin /etc /run /var/tmp /input /home /proc/sys /output /tmp;"
        "do /bin/busybox touch $place/x 2>/dev/null && echo wrote $place; done; echo tried"
    )
    progress = outcome_of(performer, one)
    assert progress.log_tail == ("wrote /output", "wrote /tmp", "tried")


def test_it_runs_without_rights_and_without_the_hubs_secrets(performer, run, monkeypatch):
    monkeypatch.setenv("HUB_SECRET_KEY", "do-not-tell")
    monkeypatch.setenv("http_proxy", "http://user:do-not-tell@127.0.0.1:1/")
    one = run(
        "/bin/busybox id; /bin/busybox grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status;"
        "/bin/busybox env"
    )
    log = "\n".join(outcome_of(performer, one).log_tail)
    assert "uid=65532(65532) gid=65532(65532)" in log
    assert "CapEff: 0000000000000000" in log
    assert "CapBnd: 0000000000000000" in log
    assert "NoNewPrivs: 1" in log
    assert "do-not-tell" not in log


def test_it_is_killed_over_its_memory_and_the_limit_is_told(performer, run):
    progress = outcome_of(performer, run("exec /bin/busybox tail /dev/zero"))
    assert progress.state == "failed"
    assert progress.why.endswith("out of memory: the limit is 64Mi")
    assert not os.path.exists("oom")  # conmon's note, which is not to lie where the hub was started


def test_it_cannot_start_processes_without_end(performer, run):
    one = run(
        "i=0; while [ $i -lt 60 ]; do /bin/busybox sleep 20 & i=$((i+1)); done; echo all",
        limits=Limits(process_count=30),
    )
    assert "all" not in outcome_of(performer, one).log_tail


def test_it_cannot_fill_the_scratch_space_of_the_host(performer, run):
    one = run(
        "/bin/busybox dd if=/dev/zero of=/tmp/x bs=1M count=40",
        limits=Limits(scratch_bytes=2**20),
    )
    progress = outcome_of(performer, one)
    assert progress.exit_code == 1
    assert any("No space left" in line for line in progress.log_tail)


def test_past_its_time_it_is_killed_and_nothing_is_left(performer, run):
    one = run("/bin/busybox sleep 71.25", timeout_seconds=1)
    progress = outcome_of(performer, one)
    assert progress.why == "timed out after 1 s"
    assert "71.25" not in subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout
    performer.cleanup(one)
    performer.cleanup(one)
    assert containers_of(one) == []
    assert performer.poll(one).state == "unknown"


def test_past_its_time_it_is_killed_when_no_worker_polls(performer, run):
    one = run("/bin/busybox sleep 72.25", timeout_seconds=1)
    performer.submit(one)
    time.sleep(3)
    assert "72.25" not in subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout
    assert performer.poll(one).why == "timed out after 1 s"


def test_submitting_at_once_from_many_threads_starts_one(performer, run):
    one = run("echo x >> /output/starts; /bin/busybox sleep 1")
    threads = [threading.Thread(target=performer.submit, args=(one,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(containers_of(one)) == 1
    assert wait_for(performer, one, seconds=30).state == "succeeded"
    performer.submit(one)
    assert (one.output_dir / "starts").read_text() == "x\n"


def test_an_image_that_is_not_here_is_refused_plainly_and_for_good(performer, run, image):
    missing = image.split("@")[0] + "@sha256:" + "0" * 64
    one = run("true", image=missing)
    with pytest.raises(SubmitFailed) as caught:
        performer.submit(one)
    assert caught.value.is_permanent
    assert caught.value.reason == f"the image {missing} is not on this host"
    assert containers_of(one) == []


def test_a_command_that_the_image_lacks_is_refused_for_good_and_nothing_is_left(performer, run):
    one = run("true", command=("/no/such/program",))
    with pytest.raises(SubmitFailed) as caught:
        performer.submit(one)
    assert caught.value.is_permanent
    assert containers_of(one) == []


def test_cancel_kills_and_removes_and_may_be_repeated(performer, run):
    one = run("/bin/busybox sleep 73.25")
    performer.submit(one)
    assert performer.poll(one).state == "running"
    performer.cancel(one)
    performer.cancel(one)
    assert containers_of(one) == []
    assert "73.25" not in subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout
    assert performer.poll(one).state == "unknown"


def test_a_container_that_somebody_removed_is_told_as_lost(performer, run):
    one = run("/bin/busybox sleep 74.25")
    performer.submit(one)
    podman("rm", "--force", "--time", "0", f"hub-{one.name}")
    progress = performer.poll(one)
    assert (progress.state, progress.why) == ("failed", "the container was lost")
    assert progress.is_retryable


def test_an_output_that_grows_without_end_is_stopped(performer, run):
    one = run(
        "/bin/busybox dd if=/dev/zero of=/output/x bs=1M count=20; /bin/busybox sleep 75.25",
        limits=Limits(output_bytes=2**20),
    )
    assert "more than the 1048576 bytes" in outcome_of(performer, one).why
    assert "75.25" not in subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout


def test_empty_files_without_end_are_stopped(performer, run):
    one = run(
        "i=0; while true; do : > /output/$i; i=$((i+1)); done",
        limits=Limits(output_bytes=2**20),
    )
    assert "more than the 1048576 bytes" in outcome_of(performer, one).why


def test_a_file_cannot_outgrow_the_output_between_two_looks(performer, run):
    one = run(
        "/bin/busybox dd if=/dev/zero of=/output/x bs=1M count=20; echo ended",
        limits=Limits(output_bytes=2**20),
    )
    performer.submit(one)
    time.sleep(2)
    assert (one.output_dir / "x").stat().st_size <= 2 * 2**20


def test_a_disk_that_runs_full_is_kept_for_the_hub(performer, run):
    one = run("/bin/busybox sleep 76.25", limits=Limits(least_free_bytes=2**62))
    progress = outcome_of(performer, one)
    assert progress.why == "stopped because the disk of the hub was nearly full"
    assert progress.is_retryable
    assert "76.25" not in subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout


def test_an_engine_that_does_not_answer_is_no_word_about_the_run(performer, run):
    one = run("/bin/busybox sleep 77.25")
    performer.submit(one)
    busy = dataclasses.replace(performer, command=("/no/such/podman",))
    assert busy.poll(one).state == "silent"
    assert performer.poll(one).state == "running"


def test_an_engine_that_is_not_there_is_told_and_may_be_tried_again(performer, run):
    one = run("true")
    broken = dataclasses.replace(performer, command=("/no/such/podman",))
    with pytest.raises(SubmitFailed) as caught:
        broken.submit(one)
    assert not caught.value.is_permanent
    assert "does not answer" in broken.poll(one).why


SERVER = """
cd $HUB_OUTPUT_DIR; b=/bin/busybox; n=0; $b touch ready
while true; do
  if [ -f request.json ] && [ ! -f response.json ]; then
    run=$($b sed -n 's/.*"run": "\\([^"]*\\)".*/\\1/p' request.json); n=$((n+1))
    $b cp $run/input/x $run/output/y; echo "$n $HUB_SERVING" > $run/output/n
    $b find / -name x -path '*input*' > $run/output/seen 2>/dev/null
    echo "{\\"run\\": \\"$run\\", \\"exit_code\\": 0}" > part; $b mv part response.json
  fi
  $b usleep 20000
done
"""


def test_a_warm_container_takes_one_run_after_another_and_finds_nothing_of_the_last(
    performer, tmp_path, image
):
    warm = WarmPerformer(performer, tmp_path / "warm")
    spec = {"kind": "container", "image": image, "resources": Resources(memory="64Mi")}
    command = [BUSYBOX, "sh", "-c", SERVER]
    runs = [
        dataclasses.replace(
            make_run(tmp_path / name, f"{name}-{os.getpid()}", command, serving="warm", **spec),
            group=f"v1-o{os.getpid()}",
        )
        for name in ("a", "b")
    ]
    try:
        for one in runs:
            (one.input_dir / "x").write_text(one.name)
            progress = outcome_of(warm, one)
            assert (progress.state, progress.why) == ("succeeded", "")
            assert (one.output_dir / "y").read_text() == one.name
            [seen] = (one.output_dir / "seen").read_text().split()
            assert seen == f"/output/{one.name}/input/x"
        assert [(one.output_dir / "n").read_text() for one in runs] == ["1 warm\n", "2 warm\n"]
        assert list((tmp_path / "warm").rglob("x")) == []
    finally:
        [slot] = warm._slots(runs[0].group, runs[0].spec)
        warm._stop(slot, runs[0].spec)
    assert podman("ps", "--all", "--quiet", "--filter", f"name=hub-warm-{runs[0].group}")[1] == ""
