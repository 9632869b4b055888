"""What every process of the hub imports as it starts: a command is to answer in a second."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from asgiref.sync import SyncToAsync, async_to_sync
from django.test import AsyncClient

from tests.fakes.ports import free_ports

ROOT = Path(__file__).parents[2]
# What only pages, sums, pictures or a cluster need; together they took longer than all the rest.
NOT_AT_ONCE = (
    "rest_framework.views", "rest_framework.serializers", "numpy", "pydicom", "kubernetes",
)  # fmt: skip
STARTED = "import django, sys; django.setup(); print(*sys.modules)"


def test_a_process_starts_without_what_few_commands_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert "routing.models" in imported
    assert imported.isdisjoint(NOT_AT_ONCE)

# The process says how much of it is kept from collection when it begins to serve.
SERVED = """
import gc, pkgutil, sys, django; django.setup()
from django.core.management import call_command
def serve(*_args, **_words):
    print("kept", gc.get_freeze_count(), sum(len(gc.get_objects(age)) for age in range(3)))
    sys.exit(0)
command, owner, name = sys.argv[1:]
setattr(pkgutil.resolve_name(owner), name, serve)
call_command(command)
"""


@pytest.mark.parametrize(
    "words",
    [
        ("web", "uvicorn:Server", "run"),
        ("listen_hl7", "hub.heartbeat", "start"),
        ("listen_dicom", "hub.hands:Hands", "__init__"),
    ],
)
def test_what_stands_before_a_process_serves_is_never_looked_through(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    ports = dict(zip(("HUB_HTTP_PORT", "HUB_HL7_PORT"), map(str, free_ports(2)), strict=True))
    done = subprocess.run(
        [sys.executable, "-c", SERVED, *words], cwd=ROOT, capture_output=True, text=True,
        check=True, env=os.environ | ports | {"HUB_STATE_DIR": str(tmp_path)},
    )  # fmt: skip
    kept, looked_at = map(int, done.stdout.split()[-2:])
    assert kept > 10 * looked_at


def test_a_page_does_not_go_into_a_thread_with_each_piece_of_middleware(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    into_threads: list[object] = []
    before = SyncToAsync.__call__

    async def counted(step: SyncToAsync, *args: object, **words: object) -> object:
        into_threads.append(step.func)
        return await before(step, *args, **words)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    answer = async_to_sync(AsyncClient().get)("/health/live")
    assert answer.status_code == 200
    # Two signals, all of the middleware, the page, and the end of the answer; 17 without
    assert len(into_threads) <= 5
