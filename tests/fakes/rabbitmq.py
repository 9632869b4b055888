"""A RabbitMQ of a test's own: ordinary processes on loopback, with their own folder and ports."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.doors import is_open
from hub.supervisor import die_with_parent
from tests.fakes.ports import free_ports
from tests.fakes.waiting import until

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's; in sbin it insists on its user
# of one program: as many schedulers as a small machine has processors, and no waiting in circles
_ERLANG = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"


@dataclass
class RabbitMq:
    """The broker, which may be killed and started again with all that it had written."""

    folder: Path
    port: int
    own_ports: tuple[int, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For HUB_BROKER_URL."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(_SERVER)], env=self.environment(), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, preexec_fn=_alone,
            )  # fmt: skip
        until(lambda: self._is_open(), "RabbitMQ listens", seconds=120)

    def _is_open(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")
        return is_open("127.0.0.1", self.port)

    def kill(self) -> None:
        """kill -9 of it and of what it started."""
        assert self.process is not None
        os.killpg(self.process.pid, 9)
        self.process.wait(10)
        until(lambda: not is_open("127.0.0.1", self.port), "RabbitMQ is gone")

    def environment(self) -> dict[str, str]:
        """What it is told: nothing of it lies outside its folder, or listens beyond loopback."""
        names, distribution = self.own_ports
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"hub{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "no-environment"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "no-plugins"),
            "RABBITMQ_SERVER_ERL_ARGS": _ERLANG,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }


def _alone() -> None:
    os.setsid()
    die_with_parent()


@contextmanager
def running_rabbitmq(folder: Path) -> Iterator[RabbitMq]:
    """A broker until the block ends; nothing of it is left running."""
    names = shutil.which("epmd")
    if not _SERVER.exists() or names is None:
        pytest.skip("RabbitMQ is not installed")
    folder.mkdir(parents=True)
    for name in ("none.conf", "no-environment"):
        (folder / name).touch()
    (folder / "no-plugins").write_text("[].\n")
    port, *others = free_ports(3)
    found = RabbitMq(folder, port, (others[0], others[1]))
    # The server would leave it running as a daemon.
    mapper = subprocess.Popen(
        [names, "-port", str(others[0]), "-address", "127.0.0.1"],
        env=found.environment(), preexec_fn=die_with_parent,
    )  # fmt: skip
    try:
        until(lambda: is_open("127.0.0.1", others[0]), "epmd listens")
        found.start()
        yield found
    finally:
        if found.process is not None and found.process.poll() is None:
            found.kill()
        mapper.kill()
        mapper.wait(10)
