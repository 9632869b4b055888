"""The web of the hub on a real socket, over the database and the settings of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.fakes.connections import others_closed
from tests.fakes.ports import free_ports


@contextmanager
def serving(settings: Any, *, port: int = 0) -> Iterator[int]:
    """Serve hub.asgi until the end of the block; gives the port, which runs are told of."""
    port = port or free_ports(1)[0]
    settings.HUB_CLUSTER_HUB_URL = f"http://127.0.0.1:{port}"
    config = uvicorn.Config(
        "hub.asgi:application", host="127.0.0.1", port=port, lifespan="off",
        log_config=None, access_log=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with others_closed():
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the web did not start"
            time.sleep(0.01)
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join(10)
