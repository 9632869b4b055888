"""The image of the hub: built by its Dockerfile, and run the way a cluster would run it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.waiting import until
from tests.image.engine import NARROW, hub_image, must, podman

pytestmark = [pytest.mark.peer, pytest.mark.long]
# What Kubernetes makes of "restricted" and a read-only root.
WALLS = (
    *NARROW, "--network", "none", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all",
    "--security-opt", "no-new-privileges", "--tmpfs", "/tmp:rw,mode=1777",
    "--env", "HUB_STATE_DIR=/tmp/state",
)  # fmt: skip
ASK = """
import sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8000" + sys.argv[1], headers={
    "Accept-Encoding": "gzip", "Accept-Language": "nb"})
with urllib.request.urlopen(request, timeout=5) as answer:
    print(answer.status, answer.headers.get("Content-Encoding", "plain"))
    if answer.headers.get("Content-Encoding") is None: print(answer.read().decode())
"""
Started = Callable[..., str]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    return hub_image(tmp_path_factory.mktemp("image"))


def run(image: str, *words: str, entrypoint: str = "python") -> str:
    return must("run", "--rm", *WALLS, "--entrypoint", entrypoint, image, *words)


@pytest.fixture
def started(image: str) -> Iterator[Started]:
    """Start a container in the background, as ``sh -c`` of some words; it is removed at the end."""
    names: list[str] = []

    def start(script: str, *arguments: str) -> str:
        names.append(f"avrop-test-{time.monotonic_ns()}")
        must("run", "--detach", "--name", names[-1], *WALLS, *arguments,
             "--entrypoint", "sh", image, "-c", script)  # fmt: skip
        return names[-1]

    yield start
    for name in names:
        podman("rm", "--force", "--time", "0", name)


def state_of(name: str) -> dict[str, Any]:
    return dict(json.loads(must("inspect", "--format", "{{json .State}}", name)))


def test_it_says_who_it_runs_as_and_how_it_is_stopped_and_holds_no_secret(image: str) -> None:
    config = json.loads(must("image", "inspect", image))[0]
    said = config["Config"]
    assert said["User"] == "65532:65532"
    assert said["StopSignal"] in ("SIGTERM", "15")
    assert said["Entrypoint"] == ["python", "manage.py"]
    labels = said["Labels"]
    assert labels["org.opencontainers.image.title"] == "Avrop"
    assert labels["org.opencontainers.image.revision"] == "0123abc"
    assert not re.search(r"SECRET_KEY|PASSWORD", json.dumps(config))
    assert config["Size"] < 560e6


def test_it_holds_the_hub_and_nothing_of_its_makers(image: str) -> None:
    lies_there = run(image, "-c", "ls -A /app;"
                "find /app -name '.env*' -o -name secret-key -o -name '*.po'",
                entrypoint="sh").split()  # fmt: skip
    assert set(lies_there) - {"__pycache__"} == {
        "LICENSE", "contracts", "examples", "hub", "manage.py", "marketplace", "routing",
        "staticfiles", "vendors",
    }  # fmt: skip
    makers = ("pytest", "pip", "setuptools", "mypy")
    found = f"[one for one in {makers} if importlib.util.find_spec(one)]"
    assert run(image, "-c", f"import importlib.util; print({found})") == "[]"


def test_it_runs_without_rights_on_a_root_that_cannot_be_written(image: str) -> None:
    said = run(image, "-c", "id -u; id -g; cat /proc/self/status;"
               "for place in / /app /opt/hub /etc; do"
               " touch $place/x 2>/dev/null && echo wrote $place; done; echo tried",
               entrypoint="sh")  # fmt: skip
    assert said.splitlines()[:2] == ["65532", "65532"]
    assert re.search(r"CapEff:\s+0000000000000000", said)
    assert "wrote" not in said
    assert "tried" in said


def test_a_new_volume_is_the_hubs_own(image: str) -> None:
    said = must("run", "--rm", *NARROW, "--read-only", "--cap-drop", "all", "--network", "none",
                "--volume", "/var/lib/avrop", "--entrypoint", "sh", image, "-c",
                "touch /var/lib/avrop/x && ls -ldn /var/lib/avrop")  # fmt: skip
    assert re.match(r"drwx\S+ \d+ 65532 65532 ", said)


def test_it_speaks_to_the_databases_and_brokers_that_settings_may_name(image: str) -> None:
    said = run(image, "-c", "import amqp, psycopg, psycopg_pool, redis; print(psycopg.pq.__impl__)")
    assert said == "binary"


def test_its_checks_pass(image: str) -> None:
    said = run(image, "-c", "python manage.py check 2>&1", entrypoint="sh")
    assert "no issues" in said


def test_the_web_process_answers_and_ends_on_sigterm(image: str, started: Started) -> None:
    web = started("python manage.py migrate --verbosity 0 && exec python manage.py web")

    def ask(path: str) -> str:
        done = podman("exec", web, "python", "-c", ASK, path)
        return done.stdout if done.returncode == 0 else ""

    until(lambda: ask("/health/live"), "it lives", seconds=900)
    assert '"status": "ok"' in ask("/health/ready")
    assert ask("/static/hub/hub.css").startswith("200 gzip")
    assert "Logg inn" in ask("/login/"), "the Norwegian catalogue is compiled into the image"
    assert not state_of(web)["ExitCode"]
    before = time.monotonic()
    must("stop", "--time", "25", web)
    assert time.monotonic() - before < 24, "it was killed at the end of its grace"
    assert state_of(web)["ExitCode"] in (0, 143)


@pytest.mark.parametrize("process", ["worker", "beat", "listen_dicom", "listen_hl7"])
def test_each_other_process_says_that_it_lives_and_ends_on_sigterm(
    process: str, started: Started
) -> None:
    one = started(
        f"exec python manage.py {process}",
        "--env", "HUB_HEARTBEAT_FILE=/tmp/alive",
    )  # fmt: skip
    until(
        lambda: podman("exec", one, "python", "-I", "-S", "hub/alive.py", "/tmp/alive", "30")
        .returncode == 0, "it lives", seconds=900,
    )  # fmt: skip
    must("stop", "--time", "25", one)
    assert state_of(one)["ExitCode"] in (0, 143)


def test_a_process_that_says_nothing_any_more_is_told_as_dead(image: str, tmp_path: Path) -> None:
    said = run(image, "-c", "touch -d '1 minute ago' /tmp/alive; for age in 30 90; do "
               "python -I -S hub/alive.py /tmp/alive $age 2>&1; echo $?; done;"
               "python -I -S hub/alive.py /tmp/missing 30 2>&1; echo $?",
               entrypoint="sh")  # fmt: skip
    assert said.splitlines() == [
        "/tmp/alive: touched 60 s ago, expected at most 30", "1", "0",
        "/tmp/missing: not there", "1",
    ]  # fmt: skip
