"""Waits in a run's pod until its network is closed, before the algorithm begins; its own program.

Where policies come into force some seconds after a pod began, the pod is open for so long. What
this cannot reach the algorithm cannot reach either: they share one network. On the standard library
alone, in one file: ``python -I -S wall.py --seconds SECONDS [--address IP:PORT]...``; without an
address it is that of the API server, as every pod is told it. See docs/adr/0059.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import sys
import time

# How it ends (sysexits.h): closed; called wrongly, or nothing to try; still open
DONE, MISUSED, OPEN = 0, 64, 75
TERMINATED = 143
# one lost packet is no wall
ROUNDS = 3
_ANSWER_SECONDS, _PAUSE_SECONDS = 0.5, 0.25


def still_open(addresses: list[tuple[str, int]], *, seconds: float) -> str:
    """Which address was still reached when the time was over; empty once none is, in no round."""
    until, closed = time.monotonic() + seconds, 0
    while closed < ROUNDS:
        reached = next((one for one in addresses if _is_reached(one)), None)
        closed = 0 if reached else closed + 1
        if reached and time.monotonic() >= until:
            return f"{reached[0]} port {reached[1]}"
        time.sleep(_PAUSE_SECONDS)
    return ""


def _is_reached(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, _ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def address_of(text: str) -> tuple[str, int]:
    """From IP:PORT; a name raises ValueError: nobody here could look it up, as if it was closed."""
    host, _, port = text.rpartition(":")
    return str(ipaddress.ip_address(host.strip("[]"))), int(port)


def api_server() -> str:
    """Where every pod is told that it is, as IP:PORT."""
    told = (os.environ.get(f"KUBERNETES_SERVICE_{what}", "") for what in ("HOST", "PORT"))
    return ":".join(told)


def main(arguments: list[str]) -> int:
    """Wait as the arguments say; gives the code to exit with."""
    parser = argparse.ArgumentParser(prog="wall", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, required=True, help="when to give up")
    parser.add_argument("--address", action="append", help="in place of the API server's")
    asked = parser.parse_args(arguments)
    names = asked.address or [api_server()]
    try:
        addresses = [address_of(one) for one in names]
    except ValueError:
        return _ended(MISUSED, f"no address to try: expected IP:PORT, found {', '.join(names)}")
    began = time.monotonic()
    if reached := still_open(addresses, seconds=asked.seconds):
        return _ended(OPEN, f"{reached} is still reached after {asked.seconds:g} s")
    return _ended(DONE, f"closed after {time.monotonic() - began:.1f} s")


def _ended(code: int, line: str) -> int:
    sys.stderr.write(f"wall: {line}\n")
    return code


if __name__ == "__main__":
    # as the first process of a container it is asked to stop, not stopped
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    sys.exit(main(sys.argv[1:]))
