"""Redis that is killed, comes back empty, and is killed again, while studies come."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from hub.doors import is_open
from hub.supervisor import die_with_parent
from tests.fakes.modality import program
from tests.fakes.ports import free_ports
from tests.fakes.waiting import until
from tests.faults.trusts import meanwhile, two_trusts

pytestmark = pytest.mark.long


def start_redis(port: int, folder: Path) -> subprocess.Popen[bytes]:
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("Redis is not installed")
    process = subprocess.Popen(
        [found, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL, preexec_fn=die_with_parent,
    )  # fmt: skip
    until(lambda: is_open("127.0.0.1", port), "Redis listens")
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)


@pytest.mark.timeout(400)
def test_a_broker_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    program("storescu")
    (port,) = free_ports(1)
    redis = start_redis(port, tmp_path)
    with two_trusts(tmp_path, broker=f"redis://127.0.0.1:{port}/0") as trusts:
        studies = trusts.morning(12)
        over: list[bool] = []

        def bring() -> float:
            if not over:
                trusts.bring(studies)
                over.append(True)
            return 0.1

        with meanwhile(bring):
            while not over:
                time.sleep(2)
                kill(redis)
                time.sleep(2)
                redis = start_redis(port, tmp_path)
        trusts.assert_once(studies, seconds=120)
    kill(redis)
