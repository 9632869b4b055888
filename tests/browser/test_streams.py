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
    assert b"text/event-stream" in read_until(wire, b": open")
    return wire


def read_until(wire: socket.socket, words: bytes, *, seconds: float = 20) -> bytes:
    """What a stream says up to ``words``; heartbeats do not make this wait any longer."""
    got, ends_at = b"", time.monotonic() + seconds
    while words not in got:
        wire.settimeout(max(ends_at - time.monotonic(), 0.01))
        more = wire.recv(4096)
        assert more, f"the stream ended after {got!r}"
        got += more
    return got


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
            read_until(wire, b"event: worklist")
    finally:
        for wire in streams:
            wire.close()
    time.sleep(1.5)
    assert least(hub.open_files, seconds=1) <= before
