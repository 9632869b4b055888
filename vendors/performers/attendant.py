"""Attends a warm algorithm in a pod: fetches one run after another for it, and brings the output.

A program of its own beside carrier.py, on the standard library alone:
``python -I -S attendant.py attend --url URL --token-file FILE --folder MAILBOX``. It asks the hub
for a run once the algorithm is ready, lays it into the mailbox (docs/reference/warm-serving.md),
and leaves nothing of it there before it tells the hub that the run is over.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import http.client
import json
import os
import shutil
import signal
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING or __name__ != "__main__":
    from vendors.performers import carrier
else:
    # last, so that no module beside this one stands for one of Python's own
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import carrier

REQUEST, ANSWER = "request.json", "response.json"
DONE, MISUSED, NOT_READY = 0, 64, 1
NO_RUN, DISMISSED = 204, frozenset({401, 404, 410})
# how often the hub is asked for a run and told that one goes on; how often the mailbox is looked at
ASK_SECONDS, BEAT_SECONDS, LOOK_SECONDS = 1.0, 5.0, 0.02
_ANSWER_SECONDS = 30.0
_LARGEST_ANSWER = 64 * 1024
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})
_LONGEST_WHY = 500
_LONGEST_PAUSE = 10.0
Json = dict[str, Any]


class Dismissed(Exception):
    """The hub does not know this server any more, or waits for its run no longer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: by ``exit_code``, or without one and with what failed."""

    exit_code: int | None = None
    why: str = ""
    # timeout, stage, collect; answer where what it said cannot be read, so that it may still be at
    # work; empty where the algorithm itself said how it ended; wipe beside any end after which
    # something could not be removed
    failure: str = ""


class Desk:
    """The hub's door for this server; asked again until it answers."""

    def __init__(self, url: str, token: str, *, ca_file: str | None = None) -> None:
        self.token, self.ca_file = token, ca_file
        self._parts = urlsplit(url)
        self._tls = None
        if self._parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=ca_file)

    def ask(self) -> Json | None:
        """The next run, None where none waits; the same question twice is answered alike."""
        return self._told("ask", {"ask": uuid.uuid4().hex, "pod": os.uname().nodename})

    def beat(self, run: str) -> None:
        """Say that the run goes on; raises Dismissed where nobody waits for it."""
        status, _said = self._once("beat", {"run": run})
        if status in DISMISSED:
            raise Dismissed

    def answer(self, run: str, outcome: Outcome) -> None:
        """Say how the run ended."""
        self._told("answer", {"run": run, "exit_code": outcome.exit_code, "why": outcome.why,
                              "failure": outcome.failure})  # fmt: skip

    def _told(self, verb: str, said: Json) -> Json | None:
        pause = 0.2
        while True:
            status, answer = self._once(verb, said)
            if status == NO_RUN:
                return None
            if status == http.client.OK:
                return answer
            if status in DISMISSED:
                raise Dismissed
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _once(self, verb: str, said: Json) -> tuple[int, Json]:
        """One exchange; status 0 where the hub did not answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            with contextlib.closing(self._connection()) as wire:
                wire.request("POST", f"{self._parts.path}/{verb}", json.dumps(said), headers)
                answer = wire.getresponse()
                body = answer.read(_LARGEST_ANSWER)
                return answer.status, json.loads(body) if answer.status == http.client.OK else {}
        except (OSError, http.client.HTTPException, ValueError):
            return 0, {}

    def _connection(self) -> http.client.HTTPConnection:
        where, seconds = self._parts.netloc, _ANSWER_SECONDS
        if self._tls is not None:
            return http.client.HTTPSConnection(where, timeout=seconds, context=self._tls)
        return http.client.HTTPConnection(where, timeout=seconds)


def attend(desk: Desk, mailbox: str, *, most_bytes: int) -> None:
    """Serve one run after another until the hub dismisses this server; raises Dismissed."""
    wipe(mailbox)
    while True:
        asked = desk.ask() if is_ready(mailbox) else None
        if asked is None:
            time.sleep(ASK_SECONDS)
            continue
        outcome = _served(desk, mailbox, asked, most_bytes)
        sys.stderr.write(f"attendant: {asked['run']}: {outcome.failure or outcome.exit_code}\n")
        desk.answer(asked["run"], outcome)


def is_ready(mailbox: str) -> bool:
    """Whether the algorithm has loaded."""
    return os.path.lexists(os.path.join(mailbox, "ready"))


def wipe(mailbox: str) -> None:
    """Leave nothing of a run; what cannot be taken away is a failure that the hub must see.

    The request goes first and the answer last: an algorithm that found a request and no answer
    beside it would serve it again.
    """
    for entry in sorted(os.scandir(mailbox), key=_when_wiped):
        if entry.is_dir(follow_symlinks=False):
            _open_up(entry.path)
            shutil.rmtree(entry.path)
        elif entry.name != "ready":
            with contextlib.suppress(FileNotFoundError):  # moved to its name meanwhile
                os.unlink(entry.path)


def _when_wiped(entry: os.DirEntry[str]) -> int:
    return {REQUEST: 0, ANSWER: 2}.get(entry.name, 1)


def _open_up(folder: str) -> None:
    """Let folders be emptied that an algorithm closed, as a copy out of its image may be."""
    os.chmod(folder, 0o700)
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            _open_up(entry.path)


def _served(desk: Desk, mailbox: str, asked: Json, most_bytes: int) -> Outcome:
    with _beating(desk, asked["run"]) as dismissed:
        try:
            outcome = _serve(desk, mailbox, asked, most_bytes, dismissed)
        except Dismissed:
            wipe(mailbox)
            raise
        try:
            wipe(mailbox)
        except OSError as fault:
            # What was brought is brought; but the next run must not find what this one left.
            sys.stderr.write(f"attendant: the mailbox could not be emptied: {fault.strerror}\n")
            return replace(outcome, failure=outcome.failure or "wipe")
        return outcome


def _serve(
    desk: Desk, mailbox: str, asked: Json, most_bytes: int, dismissed: threading.Event
) -> Outcome:
    folder = os.path.join(mailbox, asked["run"])
    for name in ("input", "output"):
        os.makedirs(os.path.join(folder, name))
    outcome = _carried("stage", desk, asked, folder, most_bytes)
    if outcome is None:
        outcome = _analysed(mailbox, asked, dismissed)
    if outcome.exit_code == DONE:
        outcome = _carried("collect", desk, asked, folder, int(asked["most_bytes"])) or outcome
    return outcome


def _carried(verb: str, desk: Desk, asked: Json, folder: str, most_bytes: int) -> Outcome | None:
    """Fetch the input or bring the output; None where that went well."""
    name, carry = ("input", carrier.stage) if verb == "stage" else ("output", carrier.collect)
    try:
        hub = carrier.Hub(
            asked[f"{name}_url"], asked[f"{name}_token"], seconds=600.0, ca_file=desk.ca_file
        )
        carry(hub, os.path.join(folder, name), carrier.Bounds(most_bytes))
    except (carrier.Unfit, carrier.HubAway, carrier.Refused, OSError) as fault:
        return Outcome(None, str(fault)[:_LONGEST_WHY], verb)
    return None


def _analysed(mailbox: str, asked: Json, dismissed: threading.Event) -> Outcome:
    """Give the run to the algorithm, and wait for what it says."""
    run, seconds = str(asked["run"]), float(asked["timeout_seconds"])
    request = {"run": run, "input": f"{run}/input", "output": f"{run}/output"}
    part = os.path.join(mailbox, ".request.json.part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(request, file)
    os.replace(part, os.path.join(mailbox, REQUEST))
    ends_at, answer = time.monotonic() + seconds, os.path.join(mailbox, ANSWER)
    while time.monotonic() < ends_at:
        if dismissed.is_set():
            raise Dismissed
        if (raw := read_answer(answer)) is not None:
            if (outcome := _outcome(run, raw)) is not None:
                return outcome
            os.unlink(answer)  # late, for a run that was given up
        time.sleep(LOOK_SECONDS)
    return Outcome(None, f"timed out after {seconds:g} s", "timeout")


def read_answer(path: str) -> bytes | None:
    """At most so much of a plain file that an algorithm wrote."""
    try:
        found = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as fault:
        # What the system lacks for a moment is no word of the algorithm's.
        return None if fault.errno in _SCARCE else b""
    with open(found, "rb") as file:
        return file.read(_LARGEST_ANSWER)


def _outcome(run: str, raw: bytes) -> Outcome | None:
    """What an answer says; None where it is about another run."""
    try:
        said = json.loads(raw)
        if isinstance(said["run"], str) and said["run"] != run:
            return None
        if said["run"] == run and isinstance(said["exit_code"], int):
            return Outcome(said["exit_code"], str(said.get("why") or "")[:_LONGEST_WHY])
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return Outcome(1, "the warm server's answer cannot be read", "answer")


@contextlib.contextmanager
def _beating(desk: Desk, run: str) -> Iterator[threading.Event]:
    """Tell the hub meanwhile that the run goes on; the event says that nobody waits for it."""
    is_over, dismissed = threading.Event(), threading.Event()

    def work() -> None:
        while not is_over.wait(BEAT_SECONDS):
            try:
                desk.beat(run)
            except Dismissed:
                dismissed.set()
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield dismissed
    finally:
        is_over.set()
        thread.join(2 * _ANSWER_SECONDS)


def main(arguments: list[str]) -> int:
    """Attend until it is stopped; or say whether the algorithm is ready."""
    parser = argparse.ArgumentParser(prog="attendant", allow_abbrev=False)
    parser.add_argument("verb", choices=("attend", "ready"))
    parser.add_argument("--folder", required=True)
    for name in ("--url", "--token-file", "--ca-file"):
        parser.add_argument(name)
    parser.add_argument("--most-bytes", type=int, default=64 << 30, help="of one input")
    asked = parser.parse_args(arguments)
    if asked.verb == "ready":
        return DONE if is_ready(asked.folder) else NOT_READY
    try:
        with open(asked.token_file, encoding="ascii") as file:
            desk = Desk(asked.url, file.read().strip(), ca_file=asked.ca_file)
    except (OSError, ValueError, TypeError) as fault:
        sys.stderr.write(f"attendant: not called as it must be: {fault}\n")
        return MISUSED
    with contextlib.suppress(Dismissed):
        attend(desk, asked.folder, most_bytes=asked.most_bytes)
    # started anew at once, it would ask anew at once: whoever dismissed it takes the pod away
    sys.stderr.write("attendant: dismissed\n")
    time.sleep(60.0)
    return DONE


if __name__ == "__main__":
    # as the first process of a container it is asked to stop, not stopped
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(carrier.TERMINATED))
    sys.exit(main(sys.argv[1:]))
