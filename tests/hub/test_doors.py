"""How a process waits to be told to stop."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The system hands a signal to any thread that takes it; Python's handlers run in the main one.
SIGNALLED_IN_ANOTHER_THREAD = """
import signal, sys, threading, time
from hub.doors import wait_for_stop

def signal_myself():
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), int(sys.argv[1]))
    time.sleep(60)

threading.Thread(target=signal_myself, daemon=True).start()
wait_for_stop()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_whichever_thread_it_reached(number: signal.Signals) -> None:
    command = [sys.executable, "-c", SIGNALLED_IN_ANOTHER_THREAD, str(int(number))]
    assert subprocess.run(command, cwd=ROOT, timeout=10, check=False).returncode == 0
