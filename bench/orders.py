"""HL7 orders taken: the hub, which commits each before its AA, beside servers that only answer.

    .venv/bin/python -m bench.orders [--quick]

The hub's listener runs alone, on SQLite and, where HUB_TEST_DATABASE_URL names a server, on
PostgreSQL; beside it python-hl7's own asyncio server and hl7apy's, which store nothing. New orders
are each of a new patient; changes are told of orders that are known.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from bench.measurement import HUB, Measurement, Target
from bench.order_senders import send_at_rate, send_in_turn

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 4
OFFERED_PER_SECOND = 200.0
PYTHON_HL7 = "python-hl7"
HL7APY = "hl7apy"
SETUP = """
version: 1
organisations: [{code: trust, name: Trust, kind: hospital_trust, country: NO}]
sites: [{code: site, organisation: trust, name: Site, timezone: Europe/Oslo}]
nodes:
  - {code: ris, site: site, protocol: hl7, host: 127.0.0.1, port: 2576, roles: [orders],
     hl7: {version: "2.5.1", receiving_application: RIS, receiving_facility: SITE,
     charset: "UNICODE UTF-8"}}
"""
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class _Size:
    """How many messages a repetition has, and how many repetitions there are."""

    messages: int
    few: int  # for hl7apy, which needs 20 to 40 ms for each
    offered: int
    repetitions: int


FULL = _Size(messages=3000, few=80, offered=2000, repetitions=3)
QUICK = _Size(messages=600, few=30, offered=400, repetitions=2)


def measure(*, is_quick: bool) -> list[Measurement]:
    """New orders, changes of known ones, and latency at a steady rate, for each database."""
    size = QUICK if is_quick else FULL
    server = os.environ.get("HUB_TEST_DATABASE_URL", "")
    kinds = ["SQLite", "PostgreSQL"] if server.startswith("postgres") else ["SQLite"]
    rows = []
    with _peer(PYTHON_HL7) as python_hl7, _peer(HL7APY) as hl7apy:
        for kind in kinds:
            with tempfile.TemporaryDirectory(prefix="bench-orders-") as folder, _listener(
                Path(folder), server if kind == "PostgreSQL" else ""
            ) as hub:  # fmt: skip
                ports = {HUB: hub, PYTHON_HL7: python_hl7, HL7APY: hl7apy}
                rows += _rows(kind, ports, size)
    return rows


def _rows(kind: str, ports: dict[str, int], size: _Size) -> list[Measurement]:
    new: dict[str, list[float]] = {HUB: [], PYTHON_HL7: [], HL7APY: []}
    changed: dict[str, list[float]] = {HUB: [], PYTHON_HL7: []}
    latency: dict[str, list[float]] = {HUB: [], PYTHON_HL7: []}
    for _ in range(size.repetitions):
        known = [next(_numbers) for _ in range(size.messages)]
        for who in new:
            some = known[: size.few] if who == HL7APY else known
            new[who].append(_rate(ports, who, [order(number) for number in some]))
        for who in changed:
            changed[who].append(_rate(ports, who, [change(number) for number in known]))
        for who in latency:
            some = [next(_numbers) for _ in range(size.offered)]
            messages = [order(number) for number in some]
            sent = send_at_rate(ports[who], messages, per_second=OFFERED_PER_SECOND)
            latency[who].append(sent.percentile(99))
    conditions = {
        "connections": CONNECTIONS,
        "TCP_NODELAY": "senders and hub",
        "durable": f"hub: {kind}, synced before AA; peers store nothing",
        "bytes": len(order(10**6)),
    }
    return [
        Measurement(
            f"orders.new.{kind.lower()}",
            f"New HL7 orders over {CONNECTIONS} connections, {kind}",
            "messages/s", new, targets=(Target(at_least=1000.0),), conditions=conditions,
        ),
        Measurement(
            f"orders.changed.{kind.lower()}",
            f"Changes of known orders over {CONNECTIONS} connections, {kind}",
            "messages/s", changed, targets=(Target(at_least=1000.0),), conditions=conditions,
        ),
        Measurement(
            f"orders.latency.{kind.lower()}",
            f"Order to AA, p99, {OFFERED_PER_SECOND:g} messages/s offered, {kind}",
            "ms", latency, is_rate=False, targets=(Target(at_most=20.0),), conditions=conditions,
        ),
    ]  # fmt: skip


def _rate(ports: dict[str, int], who: str, messages: Sequence[bytes]) -> float:
    sent = send_in_turn(
        ports[who], messages, connections=CONNECTIONS, is_new_each=who == HL7APY
    )
    if sent.refused:
        raise SystemExit(f"{who} refused {sent.refused} of {len(messages)} messages")
    return sent.rate


def order(number: int) -> bytes:
    """A new order of a new patient, ORM^O01 and OMI^O23 by turns, some 1.1 kB."""
    return _omi(number) if number % 2 else _orm(number, "NW", "R")


def change(number: int) -> bytes:
    """The same order, urgent now, under a control id of its own."""
    return _orm(number, "XO", "S")


def _orm(number: int, control: str, priority: str) -> bytes:
    return _message([
        _msh("ORM^O01", f"{control}{number}", "2.3.1"),
        *_patient(number),
        f"ORC|{control}|P{number}^HIS|F{number}^RIS||SC||1^once^^20260316093000^^{priority}||"
        f"20260316081500|7100^Moen^Liv||7002^Ødegård^Kåre^^^Dr^^^HPR|MOTTAK^Akuttmottak",
        _obr(number) + f"|||1^once^^20260316093000^^{priority}||||^Fall, mulig intrakraniell "
        "blødning. Bevisstløs noen minutter, nå GCS 14, kvalm.",
        f"ZDS|1.2.578.1.12.4711.{number}^RIS^Application^DICOM",
    ])  # fmt: skip


def _omi(number: int) -> bytes:
    return _message([
        _msh("OMI^O23^OMI_O23", f"NW{number}", "2.5.1"),
        *_patient(number),
        f"ORC|NW|P{number}^HIS|F{number}^RIS||SC||||20260316081500|7100^Moen^Liv||"
        "7002^Ødegård^Kåre^^^Dr^^^HPR|MOTTAK^Akuttmottak",
        "TQ1|1||||||20260316093000+0100||R^Routine^HL70485",
        _obr(number) + "|||||||^Fall, mulig intrakraniell blødning. Nå GCS 14, kvalm.",
        f"IPC|A{number}|RP{number}|1.2.578.1.12.4711.{number}|SPS{number}|CT|RPID1^Caput^99RIS",
    ])  # fmt: skip


def _msh(kind: str, control_id: str, version: str) -> str:
    return (
        f"MSH|^~\\&|RIS|SITE|AVROP|HUB|20260316081500+0100||{kind}|{control_id}|P|{version}"
        "||||||UNICODE UTF-8"
    )


def _patient(number: int) -> list[str]:
    return [
        f"PID|1||{13_000_000_000 + number}^^^FNR&2.16.578.1.12.4.1.4.1&ISO^NNNOR~"
        f"{number}^^^HSO-PAS^PI||Bærøy^Åse{number}^Ø^Jr^Dr^^L||19720913|F|||Storgata 1^^Drammen^^"
        "3015^NO^H||^PRN^PH^^47^32000000",
        f"PV1|1|I|MOTTAK^3^1^DRAMMEN||||7001^Lærøen^Pål^^^Dr|7001^Lærøen^Pål^^^Dr||||||||||"
        f"|V{number}",
        "IN1|1|FHI^Folketrygden|7900|Helfo|Postboks 2415^^Tønsberg^^3104^NO||815493000",
        "AL1|1|DA|Jodholdig kontrastmiddel^Utslett etter undersøkelse i 2019|MO",
    ]


def _obr(number: int) -> str:
    return (
        f"OBR|1|P{number}^HIS|F{number}^RIS|RCT01^CT caput^99RIS^SS0AA00^CT hode^NCRP|||||||||"
        f"Fall i trapp, på Marevan, INR 3,2|||7002^Ødegård^Kåre^^^Dr^^^HPR||A{number}|RP{number}|"
        f"SPS{number}||||CT"
    )


def _message(segments: Sequence[str]) -> bytes:
    return ("\r".join(segments) + "\r").encode()


@contextmanager
def _peer(who: str) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.order_peers", who]
    peer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert peer.stdout is not None
    try:
        yield int(peer.stdout.readline())
    finally:
        peer.terminate()
        peer.wait(10)


@contextmanager
def _listener(folder: Path, server: str) -> Iterator[int]:
    """The hub's HL7 listener alone, on a database of its own; its port."""
    with ExitStack() as stack:
        port = _free_port()
        environment = {
            **os.environ, "HUB_STATE_DIR": str(folder / "hub"), "HUB_HL7_PORT": str(port),
        }  # fmt: skip
        if server:
            environment |= {
                "HUB_DATABASE_URL": stack.enter_context(_database_on(server)),
                "HUB_SECRET_KEY": uuid.uuid4().hex * 2,
            }
        setup = folder / "setup.yaml"
        setup.write_text(SETUP, encoding="utf-8")
        manage = [sys.executable, str(ROOT / "manage.py")]
        for words in (["migrate", "-v0"], ["apply", str(setup)]):
            subprocess.run(
                [*manage, *words], env=environment, check=True, stdout=subprocess.DEVNULL
            )
        log = stack.enter_context((folder / "log").open("wb"))
        hub = subprocess.Popen([*manage, "listen_hl7"], env=environment, stderr=log)
        stack.callback(_end, hub)
        _await_port(port, hub)
        yield port


@contextmanager
def _database_on(server: str) -> Iterator[str]:
    """A new database on a PostgreSQL server, dropped at the end."""
    import psycopg

    name = f"bench_orders_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as wire:
        wire.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            wire.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def _await_port(port: int, hub: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and hub.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the listener did not start")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(30)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each row: medians, and the hub's ratio to each peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for row in measure(is_quick=options.quick):
        figures = ", ".join(
            f"{who} {row.median(who):.1f} [{min(all_of):.1f} to {max(all_of):.1f}]"
            for who, all_of in row.figures.items()
        )
        ratios = {who: round(row.ratio(who), 2) for who in row.figures if who != HUB}
        print(f"{row.says}, {row.unit}: {figures}; ratios {json.dumps(ratios)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
