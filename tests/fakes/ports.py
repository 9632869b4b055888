"""Free ports for processes that open them some seconds later."""

from __future__ import annotations

import itertools
import os
import random
import socket

# Below the ports that systems give to outgoing connections, which would be gone by then; and each
# process of a test run has some of its own.
_FIRST, _EACH = 20_000, 1_000
_own = _FIRST + _EACH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_next = itertools.count(random.randrange(_EACH))


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on, all different and none given twice in a row."""
    found: list[int] = []
    for number in itertools.islice(_next, _EACH):
        port = _own + number % _EACH
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"no {count} free ports from {_own} on")


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
