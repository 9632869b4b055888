"""pgbouncer in transaction mode between hub and PostgreSQL: nothing of one client meets another."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest

from hub.doors import is_open
from tests.fakes.cluster import Server, server
from tests.fakes.ports import free_ports
from tests.fakes.waiting import until

pytestmark = [pytest.mark.peer, pytest.mark.sqlite]
ROOT = Path(__file__).parents[2]
# Two clients that share the one connection there is, each in turn, with statements that are
# prepared, and with rows that are read piece by piece beyond their transaction.
TWO_CLIENTS = """
import threading
import django
django.setup()
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from hub.prepared import prepared_cursor

ContentType.objects.bulk_create(ContentType(app_label="t", model=str(n)) for n in range(50))
turn = threading.Barrier(2)

def client(own):
    for round in range(6):
        turn.wait(30)
        with transaction.atomic(), prepared_cursor() as cursor:
            sign, result = ("+", 7) if own else ("*", 12)
            cursor.execute(f"SELECT %s::int {sign} %s::int", [3, 4])
            assert cursor.fetchone() == (result,)
    rows = ContentType.objects.order_by("pk").iterator(chunk_size=2)
    first = next(rows)
    turn.wait(30)
    assert len([first, *rows]) >= 50
    faults.remove(own)

faults = [0, 1]
threads = [threading.Thread(target=client, args=(own,)) for own in (0, 1)]
for thread in threads: thread.start()
for thread in threads: thread.join(60)
raise SystemExit(len(faults))
"""
SETTINGS = """
[databases]
postgres = host=127.0.0.1 port={database.port} user=avrop password={database.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
logfile = {folder}/log
"""


@contextmanager
def pooler(database: Server, folder: Path) -> Iterator[str]:
    """The URL of a pgbouncer with a single connection for all."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip("pgbouncer is not installed")
    (port,) = free_ports(1)
    settings = folder / "pgbouncer.ini"
    settings.write_text(SETTINGS.format(database=database, port=port, folder=folder))
    account = {}
    if os.geteuid() == 0:  # it refuses to be root
        nobody = pwd.getpwnam("postgres")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid}
    process = subprocess.Popen([found, "-q", str(settings)], **account)  # type: ignore[call-overload]
    try:
        until(lambda: is_open("127.0.0.1", port), "pgbouncer listens")
        yield f"postgres://avrop@127.0.0.1:{port}/postgres"
    finally:
        process.kill()
        process.wait(10)


def two_clients(url: str, state: Path, *, is_told: str) -> int:
    """How many of two clients failed."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_STATE_DIR": str(state),
        "HUB_DATABASE_URL": url, "HUB_DATABASE_POOLED": is_told,
    }  # fmt: skip
    words = [sys.executable, "-c", TWO_CLIENTS]
    return subprocess.run(words, cwd=ROOT, env=environment, check=False, timeout=200).returncode


def test_behind_a_pooler_the_hub_prepares_nothing_and_keeps_no_cursor_open(
    tmp_path: Path,
) -> None:
    shared = Path(mkdtemp(prefix="avrop-pooler-"))  # of its account, as the database's is
    try:
        with server() as database, pooler(database, shared) as url:
            environment = os.environ | {"HUB_DATABASE_URL": database.url()}
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "--verbosity=0", "contenttypes"],
                cwd=ROOT, env=environment, check=True, timeout=400,
            )  # fmt: skip
            assert two_clients(url, tmp_path, is_told="on") == 0
            # without the setting the clients meet: what is shown is not that nothing can go wrong
            assert two_clients(url, tmp_path, is_told="off") > 0
    finally:
        shutil.rmtree(shared)
