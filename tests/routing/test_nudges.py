"""Waking the next step while the broker is away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
TWENTY_NUDGES = """
import django
django.setup()
from routing import nudges
for row in range(20):
    nudges.match(row)
"""

# One that costs the time-out, and one after a broker that is merely away would be asked again
TWO_NUDGES = """
import time
import django
django.setup()
from routing import nudges
nudges.match(1)
time.sleep(2.5)
started = time.monotonic()
nudges.match(2)
print(time.monotonic() - started)
"""


def test_a_broker_that_is_away_is_waited_for_once_and_not_for_every_nudge(tmp_path: Path) -> None:
    callers = []
    with socket.create_server(("127.0.0.1", 0)) as away:

        def hang_up() -> None:
            while True:
                try:
                    connection, address = away.accept()
                except OSError:
                    return
                callers.append(address)
                connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "hub.settings",
            "HUB_STATE_DIR": str(tmp_path),
            "HUB_BROKER_URL": f"redis://127.0.0.1:{away.getsockname()[1]}/0",
        }
        subprocess.run(
            [sys.executable, "-c", TWENTY_NUDGES], cwd=ROOT, env=environment, check=True, timeout=60
        )
        away.shutdown(socket.SHUT_RDWR)
    assert 1 <= len(callers) <= 3


def test_a_broker_that_hangs_does_not_make_every_commit_wait(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "hub.settings",
            "HUB_STATE_DIR": str(tmp_path),
            "HUB_BROKER_URL": f"redis://127.0.0.1:{deaf.getsockname()[1]}/0",
        }
        done = subprocess.run(
            [sys.executable, "-c", TWO_NUDGES], cwd=ROOT, env=environment, check=True,
            timeout=60, capture_output=True, text=True,
        )  # fmt: skip
    assert float(done.stdout.split()[-1]) < 0.5
