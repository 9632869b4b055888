"""A database and a broker of a hub's own, and reading what stands in the rows without Django."""

from __future__ import annotations

import itertools
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests import templates

# No two processes of a test run (gw0, gw1 ...) share one.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_redis_numbers = itertools.count(1 + 40 * _worker)


@contextmanager
def own_database(folder: Path, *, is_empty: bool = False) -> Iterator[str]:
    """The URL of a new database: SQLite, or one on the server that HUB_TEST_DATABASE_URL names.

    All tables are there, unless it is to be as empty as before a first start.
    """
    server = os.environ.get("HUB_TEST_DATABASE_URL", "")
    if not server.startswith("postgres"):
        if not is_empty:
            templates.copy_sqlite(folder / "hub.sqlite3")
        yield f"sqlite:///{folder}/hub.sqlite3"
        return
    name = f"journeys_{uuid.uuid4().hex[:12]}"
    made_of = "template1" if is_empty else templates.postgresql_template(server)
    templates.administer(server, f"CREATE DATABASE {name} TEMPLATE {made_of}")
    try:
        yield templates.on(server, name)
    finally:
        templates.administer(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def own_broker() -> str:
    """The URL of an empty broker: the embedded one beside SQLite, as on a small installation.

    Beside PostgreSQL a number of its own on the Redis that HUB_TEST_BROKER_URL names.
    """
    is_large = os.environ.get("HUB_TEST_DATABASE_URL", "").startswith("postgres")
    server = os.environ.get("HUB_TEST_BROKER_URL", "")
    if not (is_large and server.startswith("redis")):
        return "filesystem://"
    url = urlunsplit(urlsplit(server)._replace(path=f"/{next(_redis_numbers)}"))
    empty_redis(url)
    return url


def empty_redis(url: str) -> None:
    """Lose every message of one number of Redis."""
    import redis

    with closing(redis.Redis.from_url(url)) as client:
        client.flushdb()


@contextmanager
def redis_out_of_reach(url: str) -> Iterator[None]:
    """Throw everybody out of a Redis and let nobody in until the block ends."""
    import redis

    with closing(redis.Redis.from_url(url)) as client:
        client.config_set("requirepass", uuid.uuid4().hex)
        try:
            client.client_kill_filter(_type="normal", skipme=True)
            yield
        finally:
            client.config_set("requirepass", "")


def rows(url: str, question: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a SELECT gives, ``?`` standing for each of the values; for both kinds of database."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as wire:
            return wire.execute(question, values).fetchall()
    import psycopg

    with psycopg.connect(url) as wire:
        return list(wire.execute(question.replace("?", "%s"), values).fetchall())
