"""Carries a run's input from the hub into a pod, and its output back; a program of its own.

On the standard library alone, in one file, so that it starts fast and wherever Python is:
``python -I -S carrier.py stage|collect --url URL --token-file FILE --folder FOLDER``. It holds one
piece of a file in memory, tries again until its time is over, and says in one line how it ended.
The hub takes what it is brought apart with the same functions.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import ssl
import stat
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

# How it ends (sysexits.h): all is there; called wrongly, or no token; a tar with links, too much,
# or refused by the hub; the hub not reached in time; not written here; the run not waited for
DONE, MISUSED, UNFIT, AWAY, NOT_WRITTEN, REFUSED = 0, 64, 65, 69, 73, 77
TERMINATED = 143
STEP = 1 << 20
BLOCK = 512
_LONGEST_NAME, _LONGEST_EXTENSION, _DEEPEST = 1000, 1 << 16, 32
_ANSWER_SECONDS = 60.0
_LONGEST_PAUSE = 5.0
_AGAIN = frozenset({408, 425, 429})
_PARTIAL = 206
Read = Callable[[int], bytes]


class Unfit(Exception):
    """What is carried is not what it must be; ``str()`` says why, in one sentence."""


class Refused(Exception):
    """The hub does not wait for this run, or not with this token."""


class HubAway(Exception):
    """The hub could not be reached, or not for long enough, within the time."""


_CODES: dict[type[Exception], int] = {Unfit: UNFIT, Refused: REFUSED, HubAway: AWAY}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a tar may hold: bytes of all files together, and files and folders."""

    total_bytes: int
    entries: int = 10_000

    def hold(self, total_bytes: int, entries: int) -> None:
        """Raise Unfit for more than that."""
        if entries > self.entries:
            raise Unfit(f"more than {self.entries} files and folders")
        if total_bytes > self.total_bytes:
            raise Unfit(f"more than {self.total_bytes} bytes of files")


@contextlib.contextmanager
def _as_unfit(kind: type[Exception], why: str) -> Iterator[None]:
    try:
        yield
    except kind:
        raise Unfit(why) from None


# -- tar (POSIX.1-2017, pax, "ustar Interchange Format") -------------------------------------------
def pack(folder: str, bounds: Bounds) -> Iterator[bytes]:
    """The tar of what is below ``folder``, piece by piece; the same files give the same bytes.

    Links and whatever else is neither file nor folder are passed over, as the hub does with what
    an algorithm leaves on its own disk. Raises Unfit, OSError.
    """
    total, entries = 0, 0
    for path, name, status in _below(folder):
        is_file = stat.S_ISREG(status.st_mode)
        entries, total = entries + 1, total + (status.st_size if is_file else 0)
        bounds.hold(total, entries)
        yield _header(name, size=status.st_size if is_file else None)
        if is_file:
            yield from filter(None, _content(path, name, status.st_size))
    yield bytes(2 * BLOCK)


def unpack(read: Read, folder: str | None, bounds: Bounds) -> tuple[int, int]:
    """Lay out the files of a tar below ``folder``, or only look at them where that is None.

    ``read(n)`` gives at most n bytes, none at the end. Gives number and bytes of the files. Raises
    Unfit for what is no tar, for links, devices and names that lead elsewhere; OSError.
    """
    total, entries = 0, 0
    files: set[str] = set()
    folders: set[str] = {"."}
    while (header := exactly(read, BLOCK)) != bytes(BLOCK):
        name, size = _entry(header, read)
        entries, total = entries + 1, total + (size or 0)
        bounds.hold(total, entries)
        above = _above(name)
        folders.update(above)
        if not files.isdisjoint((name, *above)) or (size is not None and name in folders):
            raise Unfit(f"the name {name[:100]!r} twice")
        (folders if size is None else files).add(name)
        _lay_out(read, folder, name, size)
    while rest := read(STEP):
        if rest.strip(b"\0"):
            raise Unfit("something after its end")
    return len(files), total


def _above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def exactly(read: Read, size: int) -> bytes:
    """So many bytes; raises Unfit where there are fewer."""
    parts, missing = [], size
    while missing:
        if not (part := read(missing)):
            raise Unfit("cut off before its end")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _below(folder: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """Path, name and status of each file and folder, in the order of their names."""
    waiting = [("", folder)]
    while waiting:
        prefix, where = waiting.pop()
        with os.scandir(where) as found:
            entries = sorted(found, key=lambda one: one.name)
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            name = f"{prefix}{entry.name}"
            if stat.S_ISDIR(status.st_mode):
                waiting.append((f"{name}/", entry.path))
            elif not stat.S_ISREG(status.st_mode):
                continue
            yield entry.path, name, status


def _header(name: str, *, size: int | None) -> bytes:
    """The blocks before a file, or of a folder where ``size`` is None."""
    info = tarfile.TarInfo(name)
    info.mode, info.size = 0o644, size or 0
    if size is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    with _as_unfit(UnicodeError, "a file whose name is not UTF-8"):
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _content(path: str, name: str, size: int) -> Iterator[bytes]:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb", 0) as file:
        missing = size
        while missing:
            if not (step := file.read(min(STEP, missing))):
                raise Unfit(f"the file {name!r} became shorter while it was read")
            missing -= len(step)
            yield step
    yield bytes(-size % BLOCK)


def _entry(header: bytes, read: Read) -> tuple[str, int | None]:
    """Name and size of the entry that begins here; no size for a folder."""
    told: dict[str, str] = {}
    while (kind := header[156:157]) == b"x":
        told |= _extension(header, read)
        header = exactly(read, BLOCK)
    if sum(header) - sum(header[148:156]) + 8 * ord(" ") != _number(header[148:156]):
        raise Unfit("no tar: the sum of a header is wrong")
    if kind not in (b"0", b"\0", b"5"):
        raise Unfit("an entry that is neither file nor folder, such as a link or a device")
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    name = told.get("path") or "/".join(filter(None, (prefix, _text(header[:100]))))
    size = _whole(told["size"]) if "size" in told else _number(header[124:136])
    if kind == b"5":
        return _safe(name.rstrip("/"), is_folder=True), None
    return _safe(name), size


def _extension(header: bytes, read: Read) -> dict[str, str]:
    """What stands before an entry of what does not fit into its header."""
    size = _number(header[124:136])
    if size > _LONGEST_EXTENSION:
        raise Unfit("a header of its own size")
    data, found = exactly(read, size + -size % BLOCK)[:size], {}
    while data:
        length, _, rest = data.partition(b" ")
        record = rest[: max(_whole(_text(length)) - len(length) - 1, 0)]
        name, is_said, value = record.rstrip(b"\n").partition(b"=")
        if not is_said or name.startswith(b"GNU.sparse"):
            raise Unfit("no plain tar: an extended header that is not read here")
        found[_text(name)] = _text(value)
        data = rest[len(record) :]
    return {key: found[key] for key in ("path", "size") if key in found}


def _number(field: bytes) -> int:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    text = field.strip(b" \0")
    if text.strip(b"01234567"):
        raise Unfit("no tar: a number that is none")
    return int(text or b"0", 8)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise Unfit("no tar: a number that is none")
    return int(text)


def _text(data: bytes) -> str:
    with _as_unfit(UnicodeError, "a name that is not UTF-8"):
        return data.split(b"\0", 1)[0].decode()


def _safe(name: str, *, is_folder: bool = False) -> str:
    """The name without a leading ``./``; raises Unfit where it could lead elsewhere."""
    parts = name.removeprefix("./").split("/")
    if is_folder and name in (".", "./", ""):
        return "."
    if name.startswith("/") or ".." in parts:
        raise Unfit("a name that leads out of its folder")
    is_long = len(name.encode()) > _LONGEST_NAME or len(parts) > _DEEPEST
    if is_long or not {"", "."}.isdisjoint(parts) or not name.isprintable():
        raise Unfit("a name that is empty, too long, or not printable")
    return "/".join(parts)


def _lay_out(read: Read, folder: str | None, name: str, size: int | None) -> None:
    path = os.path.join(folder, name) if folder is not None else os.devnull
    if folder is not None:
        os.makedirs(path if size is None else os.path.dirname(path), mode=0o755, exist_ok=True)
    if size is None:
        return
    # no entry is a link, so that no part of the way is one
    flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW if folder is not None else 0
    with os.fdopen(os.open(path, os.O_WRONLY | flags, 0o644), "wb") as file:
        for begin in range(0, size, STEP):
            file.write(exactly(read, min(STEP, size - begin)))
    exactly(read, -size % BLOCK)


# -- HTTP (RFC 9110) ----------------------------------------------------------------------------
class Hub:
    """One address of the hub, asked again until the time is over."""

    def __init__(self, url: str, token: str, *, seconds: float, ca_file: str | None) -> None:
        self._parts = urlsplit(url)
        self._authorization = f"Bearer {token}"
        self._until = time.monotonic() + seconds
        self._connect = partial(http.client.HTTPConnection, self._parts.netloc)
        if self._parts.scheme == "https":
            tls = ssl.create_default_context(cafile=ca_file)
            self._connect = partial(http.client.HTTPSConnection, self._parts.netloc, context=tls)
        self._failed, self._why = 0, "no answer"

    def ask(self, method: str, headers: dict[str, str], body: Iterator[bytes] | None = None
            ) -> http.client.HTTPResponse | None:  # fmt: skip
        """The answer if it is good, None where to ask again; raises Refused, Unfit, HubAway."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise HubAway(f"gave up on the hub, which last said: {self._why}")
        try:
            connection = self._connect(timeout=min(left, _ANSWER_SECONDS))
            headers = {"Authorization": self._authorization, **headers}
            # refused before all was sent: the answer says why
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, self._parts.path or "/", body, headers,
                                   encode_chunked=body is not None)  # fmt: skip
            return self._judge(connection.getresponse())
        except (OSError, http.client.HTTPException) as fault:
            self.failed(str(fault) or type(fault).__name__)
            return None

    def failed(self, why: str) -> None:
        """Wait a little before the hub is asked again; longer each time."""
        self._failed, self._why = self._failed + 1, why
        pause = min(0.1 * 2**self._failed, _LONGEST_PAUSE) * random.uniform(0.5, 1)  # nosec B311
        time.sleep(max(min(pause, self._until - time.monotonic()), 0))

    def _judge(self, answer: http.client.HTTPResponse) -> http.client.HTTPResponse | None:
        status = answer.status
        if status in (200, 201, _PARTIAL):
            self._failed = 0
            return answer
        if status in (413, 422):
            raise Unfit(f"refused by the hub: {_detail(answer)}")
        if status >= 500 or status in _AGAIN:
            self.failed(f"HTTP {status}")
            return None
        raise Refused(f"the hub refused it: HTTP {status}")


def _detail(answer: http.client.HTTPResponse) -> str:
    with contextlib.suppress(ValueError, LookupError, TypeError):
        return str(json.loads(answer.read(4096))["detail"])[:500]
    return f"HTTP {answer.status}"


class Download:
    """What the hub answers, as one stream: where it breaks it is taken up again."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._answer, self._position = hub, self._open(hub, 0), 0
        self._size = int(self._answer.headers["Content-Length"])
        self._tag, self._sum = self._answer.headers["ETag"], hashlib.sha256()

    def read(self, size: int) -> bytes:
        """At most so many bytes; none once all of it is here and has the right sum."""
        while self._position < self._size:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if data := self._answer.read(min(size, self._size - self._position)):
                    self._position += len(data)
                    self._sum.update(data)
                    return data
            self._hub.failed("the connection broke")
            self._answer = self._open(self._hub, self._position)
            if self._answer.headers["ETag"] != self._tag:
                raise Unfit("the input is not what it was when it was first asked for")
        if f'"{self._sum.hexdigest()}"' != self._tag:
            raise Unfit("the input did not arrive as it was sent")
        return b""

    def _open(self, hub: Hub, position: int) -> http.client.HTTPResponse:
        while True:
            answer = hub.ask("GET", {"Range": f"bytes={position}-"} if position else {})
            if answer is not None:
                if position and answer.status != _PARTIAL:
                    raise Unfit("the hub gave all of the input in place of the rest")
                return answer


def stage(hub: Hub, folder: str, bounds: Bounds) -> str:
    """Fetch the input into an empty folder; how it went."""
    for entry in os.scandir(folder):
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
    files, size = unpack(Download(hub).read, folder, bounds)
    return f"fetched {files} files, {size} bytes"


def collect(hub: Hub, folder: str, bounds: Bounds) -> str:
    """Bring the output; how it went."""
    while True:
        headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
        if (answer := hub.ask("PUT", headers, pack(folder, bounds))) is not None:
            return f"brought the output: HTTP {answer.status}"


def main(arguments: list[str]) -> int:
    """Do what the arguments say; gives the code to exit with."""
    parser = argparse.ArgumentParser(prog="carrier", allow_abbrev=False)
    parser.add_argument("verb", choices=("stage", "collect"))
    for name in ("--url", "--token-file", "--folder"):
        parser.add_argument(name, required=True)
    parser.add_argument("--ca-file", help="of who signed the hub's certificate")
    parser.add_argument("--seconds", type=float, default=600.0, help="when to give up")
    parser.add_argument("--most-bytes", type=int, default=64 << 30, help="of all files together")
    try:
        asked = parser.parse_args(arguments)
        with open(asked.token_file, encoding="ascii") as file:
            token = file.read().strip()
        hub = Hub(asked.url, token, seconds=asked.seconds, ca_file=asked.ca_file)
    except (SystemExit, OSError, ValueError) as fault:
        return _ended(MISUSED, f"not called as it must be: {fault}")
    try:
        carry = stage if asked.verb == "stage" else collect
        return _ended(DONE, carry(hub, asked.folder, Bounds(asked.most_bytes)))
    except (Unfit, HubAway, Refused) as fault:
        return _ended(_CODES[type(fault)], str(fault))
    except OSError as fault:
        return _ended(NOT_WRITTEN, f"{fault.strerror or fault}")


def _ended(code: int, line: str) -> int:
    sys.stderr.write(f"carrier: {line}\n")
    return code


if __name__ == "__main__":
    # as the first process of a container it is asked to stop, not stopped
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    sys.exit(main(sys.argv[1:]))
