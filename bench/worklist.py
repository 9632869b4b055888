"""The worklist over HTTP with a million studies in PostgreSQL, as users of one trust and of all.

    .venv/bin/python -m bench.worklist [--quick]

A real `manage.py web` answers; no cache is warmed but PostgreSQL's, and each question is asked in
turn with all others. The plan of every statement is kept, with what it reads whole.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import alone
from bench.hub import manage
from bench.measurement import HUB, Measurement, Target
from bench.places import ROOT, NotMeasured, folder, free_ports, nine_trusts, wait_until
from bench.postgresql import postgresql
from hub.doors import is_open
from hub.supervisor import die_with_parent

STUDIES, QUICK_STUDIES = 1_000_000, 20_000
TURNS, QUICK_TURNS = 30, 8
MOST_MILLISECONDS = 50.0
_KEPT_PLANS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: how it is called, its address, and whose it is."""

    name: str
    path: str
    who: str


def measure(*, is_quick: bool) -> list[Measurement]:
    """The p95 of every question, and of those the hub asks itself every few seconds."""
    studies = QUICK_STUDIES if is_quick else STUDIES
    with folder() as here, populated(here, studies) as environment:
        from bench import questions

        cookies = {who: questions.sign_in(who) for who in questions.USERS}
        asked = questions.of_people()
        with web(environment, here) as port:
            times = _ask_all(port, asked, cookies, turns=QUICK_TURNS if is_quick else TURNS)
        plans = {f"{one.name} ({one.who})": questions.plans(one) for one in asked}
        own, own_plans = _ask_itself(questions.of_the_hub(), turns=QUICK_TURNS)
    conditions = {
        "studies": studies, "trusts": 9, "database": "PostgreSQL, shared_buffers 1 GB",
        "over": "HTTP on loopback, one question at a time",
    }  # fmt: skip
    return [
        _row(
            "worklist", "Worklist, studies and API, each with its filters: p95 of a question",
            times, plans, conditions,
        ),
        _row(
            "asked_every_few_seconds", "Sweep, live pages, outbox, metrics, operations: p95",
            own, own_plans, conditions | {"over": "in the process"},
        ),
    ]  # fmt: skip


def _row(
    name: str, says: str, times: dict[str, list[float]], plans: dict[str, Any],
    conditions: dict[str, Any],
) -> Measurement:  # fmt: skip
    p95 = {question: _p95(found) for question, found in times.items()}
    whole = {question: found["scanned"] for question, found in plans.items() if found["scanned"]}
    return Measurement(
        name=name, says=says, unit="ms", figures={HUB: list(p95.values())}, is_rate=False,
        targets=[Target(at_most=MOST_MILLISECONDS)],
        conditions=conditions | {
            "slowest": max(p95, key=lambda question: p95[question]),
            "slowest p95": f"{max(p95.values()):.1f} ms",
            "tables read whole": ", ".join(sorted(set().union(*whole.values()))) or "none",
        },
        details={"p95_milliseconds": p95, "plans": plans},
    )  # fmt: skip


@contextmanager
def populated(here: Path, studies: int) -> Iterator[dict[str, str]]:
    """The variables of a hub on a PostgreSQL with so many studies; Django is set up on it."""
    with postgresql() as url:
        (http_port,) = free_ports(1)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        own = {
            "HUB_STATE_DIR": str(here / "state"), "HUB_DATABASE_URL": url,
            "HUB_SECRET_KEY": "bench-only-" + "0123456789abcdef" * 4,
            "HUB_HTTP_PORT": str(http_port), "DJANGO_SETTINGS_MODULE": "hub.settings",
        }  # fmt: skip
        environment = kept | own
        setup = here / "setup.yaml"
        setup.write_text(nine_trusts(), "utf-8")
        manage(environment, "migrate", "--verbosity=0")
        manage(environment, "apply", setup)
        os.environ.update(own)
        import django

        django.setup()
        from django.db import connection

        from bench import population

        try:
            if studies:
                population.grow(studies)
            yield environment
        finally:
            connection.close()


@contextmanager
def web(environment: dict[str, str], here: Path) -> Iterator[int]:
    """A `manage.py web`; gives its port."""
    port = int(environment["HUB_HTTP_PORT"])
    with (here / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "web"], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent,
        )  # fmt: skip
    try:
        wait_until(lambda: is_open("127.0.0.1", port), "the web process listens")
        yield port
    finally:
        process.terminate()
        process.wait(40)


def _ask_all(
    port: int, asked: list[Asked], cookies: dict[str, str], *, turns: int
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {f"{one.name} ({one.who})": [] for one in asked}
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for turn in range(turns + 1):
        for one in asked:
            began = time.perf_counter()
            wire.request("GET", one.path, headers={"Cookie": cookies[one.who]})
            answer = wire.getresponse()
            answer.read()
            passed = (time.perf_counter() - began) * 1000
            if answer.status != 200:
                raise NotMeasured(f"{one.path} answered {answer.status}")
            if turn:  # the first warms the database
                times[f"{one.name} ({one.who})"].append(passed)
    wire.close()
    return times


def _ask_itself(
    asked: dict[str, Callable[[], object]], *, turns: int
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    from bench.questions import plans_kept

    times: dict[str, list[float]] = {name: [] for name in asked}
    for turn in range(turns + 1):
        for name, ask in asked.items():
            began = time.perf_counter()
            ask()
            if turn:
                times[name].append((time.perf_counter() - began) * 1000)
    return times, {name: plans_kept(ask, most=_KEPT_PLANS) for name, ask in asked.items()}


def _p95(times: list[float]) -> float:
    return sorted(times)[max(-(-len(times) * 95 // 100) - 1, 0)]


if __name__ == "__main__":
    raise SystemExit(alone.run(measure))
