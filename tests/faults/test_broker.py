"""A broker that is killed, comes back, and is killed again, while studies come."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.fakes.modality import program
from tests.fakes.rabbitmq import RabbitMq, running_rabbitmq
from tests.fakes.redis import Redis, running_redis
from tests.faults.trusts import meanwhile, two_trusts

pytestmark = pytest.mark.long
Running = Callable[[Path], AbstractContextManager[Redis | RabbitMq]]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("running", [running_redis, running_rabbitmq])
def test_a_broker_that_is_killed_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path, running: Running
) -> None:
    program("storescu")
    with (
        running(tmp_path / "broker") as broker,
        two_trusts(tmp_path, broker=broker.url, HUB_WORKERS="receive,route,run;write_back,billing")
        as trusts,
    ):  # fmt: skip
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
                broker.kill()
                time.sleep(2)
                broker.start()
        trusts.assert_once(studies, seconds=180)
