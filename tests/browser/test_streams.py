"""Many open pages at one real web process: no connection for each, and nothing left of the gone."""

from __future__ import annotations

import http.client
import re
import socket
import time
import urllib.parse
from collections.abc import Callable

from tests.browser.hub_process import PASSWORD, Hub

PAGES = 25


def signed_in(hub: Hub) -> tuple[str, str]:
    """Host and port, and the session cookie of a radiologist."""
    host = urllib.parse.urlsplit(hub.url).netloc
    wire = http.client.HTTPConnection(host)
    wire.request("GET", "/login/")
    answer = wire.getresponse()
    cookie = (answer.getheader("Set-Cookie") or "").split(";")[0]
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', answer.read().decode())
    assert token
    form = {"username": "kari", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    wire.request("POST", "/login/", urllib.parse.urlencode(form), headers)
    answer = wire.getresponse()
    cookies = answer.headers.get_all("Set-Cookie") or []
    (session,) = [one.split(";")[0] for one in cookies if one.startswith("sessionid")]
    return host, session


def open_stream(host: str, session: str) -> socket.socket:
    """A stream that has begun."""
    name, port = host.split(":")
    wire = socket.create_connection((name, int(port)), timeout=40)
    ask = f"GET /live/worklist/ HTTP/1.1\r\nHost: {host}\r\nCookie: {session}\r\n\r\n"
    wire.sendall(ask.encode())
    got = b""
    while b": open" not in got:
        got += wire.recv(4096)
    assert b"text/event-stream" in got
    return wire


def least(measure: Callable[[], int], *, seconds: float = 3) -> int:
    """The least that was measured in some seconds: what stays between two looks."""
    ends_at, found = time.monotonic() + seconds, measure()
    while time.monotonic() < ends_at:
        found = min(found, measure())
        time.sleep(0.02)
    return found


def test_open_pages_hold_no_connections_and_every_one_is_told(hub: Hub) -> None:
    host, session = signed_in(hub)
    before = least(hub.open_files, seconds=1)
    streams = [open_stream(host, session) for _ in range(PAGES)]
    try:
        time.sleep(1.2)
        assert least(hub.open_files) <= before
        hub.scene("finding", "DAHL^OLA")
        for wire in streams:
            got = b""
            while b"event: worklist" not in got:
                got += wire.recv(4096)
    finally:
        for wire in streams:
            wire.close()
    time.sleep(1.5)
    assert least(hub.open_files, seconds=1) <= before
