"""Databases with all tables, made once for each state of the migrations and copied from then on.

To migrate an empty database takes longer than most tests, and many of them want one of their own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[1]
APPS = ("hub", "vendors", "marketplace", "contracts", "routing")
_IMPORTED = re.compile(rf"^from ((?:{'|'.join(APPS)})\.[\w.]+) import", re.MULTILINE)
_FOLDER = Path(tempfile.gettempdir()) / f"avrop-templates-{os.getuid()}"


def copy_sqlite(target: Path) -> None:
    """Put a SQLite database with all tables and no rows of ours there."""
    template = _FOLDER / f"{_state_of_migrations()}.sqlite3"
    with _alone("sqlite"):
        if not template.exists():
            unfinished = template.with_suffix(f".{os.getpid()}")
            _migrate(f"sqlite:///{unfinished}")
            unfinished.rename(template)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, target)


def postgresql_template(server: str) -> str:
    """The name of a database on ``server`` (its URL) that others may be made of by TEMPLATE."""
    name = f"avrop_template_{_state_of_migrations()}"
    with _alone("postgresql"):
        if not _exists(server, name):
            unfinished = f"{name}_{os.getpid()}"
            administer(server, f"CREATE DATABASE {unfinished}")
            _migrate(on(server, unfinished))
            administer(server, f"ALTER DATABASE {unfinished} RENAME TO {name}")
    return name


def on(server: str, name: str) -> str:
    """The URL of a database of that server."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def administer(server: str, command: str) -> None:
    """Run one statement outside a transaction."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as wire:
        wire.execute(command)


@cache
def _state_of_migrations() -> str:
    """Changes with every migration, what those import, and the libraries that have their own."""
    migrations = [path for app in APPS for path in sorted((ROOT / app / "migrations").glob("*.py"))]
    imported = {
        ROOT / (name.replace(".", "/") + ".py")
        for path in migrations
        for name in _IMPORTED.findall(path.read_text())
    }
    digest = hashlib.sha256()
    for path in [*migrations, *sorted(imported), ROOT / "requirements.txt"]:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """One process at a time makes a template; the others wait and find it."""
    _FOLDER.mkdir(mode=0o700, exist_ok=True)
    with (_FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _exists(server: str, name: str) -> bool:
    import psycopg

    with psycopg.connect(server, autocommit=True) as wire:
        question = "SELECT 1 FROM pg_database WHERE datname = %s"
        return wire.execute(question, [name]).fetchone() is not None


def _migrate(url: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    with tempfile.TemporaryDirectory() as state:
        own = {"HUB_STATE_DIR": state, "HUB_DATABASE_URL": url, "HUB_SECRET_KEY": "0123" * 16}
        subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT, env=kept | own, check=True,
        )  # fmt: skip
