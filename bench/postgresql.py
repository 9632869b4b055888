"""A PostgreSQL server of the bench's own, in a folder, and gone after."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.places import NotMeasured, folder, free_ports


@contextmanager
def postgresql(**settings: str) -> Iterator[str]:
    """The URL of an empty database; ``settings`` are more of postgresql.conf's.

    Raises NotMeasured where its server programs are not installed, or it does not start.
    """
    programs = _programs()
    with folder() as here:
        secret = secrets.token_hex(16)
        (here / "password").write_text(secret)
        if os.geteuid() == 0:
            for path in (here, here / "password"):
                shutil.chown(path, "postgres", "postgres")
        (port,) = free_ports(1)
        given = {
            "port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "''",
            "shared_buffers": "1GB", "max_connections": "100", **settings,
        }  # fmt: skip
        options = " ".join(f"-c {name}={value}" for name, value in given.items())
        data = str(here / "data")
        _run(programs / "initdb", "-D", data, "-U", "avrop", f"--pwfile={here / 'password'}",
             "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8")  # fmt: skip
        _run(programs / "pg_ctl", "-D", data, "-w", "-l", str(here / "log"), "-o", options,
             "start")  # fmt: skip
        try:
            yield f"postgres://avrop:{secret}@127.0.0.1:{port}/postgres"
        finally:
            _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    if path := shutil.which("initdb"):
        return Path(path).parent
    raise NotMeasured("PostgreSQL's initdb is not installed")


def _run(*words: object) -> None:
    command = [str(word) for word in words]
    if os.geteuid() == 0:  # PostgreSQL refuses to be root
        command = ["runuser", "-u", "postgres", "--", *command]
    # not into a pipe: the server would hold it open for as long as it runs
    with tempfile.TemporaryFile() as said:
        if subprocess.run(command, stdout=said, stderr=said, check=False, cwd="/").returncode:
            said.seek(0)
            raise NotMeasured(said.read().decode(errors="replace")[-500:])
