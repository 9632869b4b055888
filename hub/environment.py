"""Reads what an administrator sets, and refuses by name what cannot be meant.

A variable that is set to nothing counts as not set, as in a `.env` whose line was left open.
"""

from __future__ import annotations

import difflib
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from hub.dicom.object_store import Address, StoreUrlUnfit

_FLAGS = {
    **dict.fromkeys(("on", "true", "yes", "1"), True),
    **dict.fromkeys(("off", "false", "no", "0"), False),
}
_LONGEST_AE_TITLE = 16
LANGUAGES_OF_PEOPLE = {"en": "English", "nb": "Norsk bokmål", "da": "Dansk"}
SHORTEST_KEY = 50
_A_KEY = f"a random text of at least {SHORTEST_KEY} characters"
_OF_URLS = "#?%"
_PLAIN_PATH = "without # ? and %"
_SETTING = re.compile(r"(?:export )?([A-Za-z_0-9]+)=")
# the names that were asked for, and where a file sets which
_asked: set[str] = set()
_in_file: dict[str, str] = {}


def read_file(path: Path) -> None:
    """Take the variables of a `.env` file that the environment itself does not have.

    A line that says nothing is refused: passed over, it would leave the default in force.
    """
    if not path.exists():
        return
    try:
        content = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or "it is not in UTF-8"
        raise ImproperlyConfigured(f"{path}: cannot be read: {reason}") from fault
    for number, line in enumerate(content.splitlines(), 1):
        if match := _SETTING.match(line):
            _in_file[match[1]] = f"{path}:{number}"
        elif line.strip() and not line.lstrip().startswith("#"):
            # the line is not told: it may hold a secret
            raise ImproperlyConfigured(
                f"{path}:{number}: expected NAME=value with no blanks around = or before NAME"
            )
    environ.Env.read_env(io.StringIO(content))


def refuse_unknown() -> None:
    """Refuse what a `.env` file sets and nobody asked for, which is misspelt; call it last."""
    for name, place in _in_file.items():
        if name.startswith("HUB_") and name not in _asked:
            close = difflib.get_close_matches(name, _asked, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ImproperlyConfigured(f"{place}: expected a setting, found {name}{hint}")


def text(name: str, default: str) -> str:
    """The text of a variable, or the default."""
    _asked.add(name)
    return os.environ.get(name, "").strip() or default


def texts(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Texts with commas between them, or the default."""
    given = [part.strip() for part in text(name, "").split(",")]
    return [part for part in given if part] or list(default)


def key(name: str) -> str:
    """A secret of at least 50 characters, or nothing; a refusal tells its length alone."""
    given = text(name, "")
    if given and len(given) < SHORTEST_KEY:
        raise _unfit(name, _A_KEY, f"{len(given)} characters")
    return given


def keys(name: str) -> list[str]:
    """Secrets with commas between them, each as long as a key."""
    given = texts(name)
    if short := [len(one) for one in given if len(one) < SHORTEST_KEY]:
        raise _unfit(name, f"{_A_KEY}, or several with commas", f"one of {short[0]} characters")
    return given


def pairs(name: str, default: Mapping[str, str] | None = None) -> dict[str, str]:
    """NAME=VALUE with commas between them, or the default."""
    found: dict[str, str] = {}
    for one in texts(name):
        key, equals, value = one.partition("=")
        if not key or not equals or not value:
            raise _unfit(name, "NAME=VALUE with commas between", one)
        found[key] = value
    return found or dict(default or {})


def flag(name: str, *, default: bool) -> bool:
    """on or off; a misspelt one must neither open nor close anything."""
    given = text(name, "")
    if not given:
        return default
    if given.lower() not in _FLAGS:
        raise _unfit(name, "on or off", given)
    return _FLAGS[given.lower()]


def language(name: str, default: str) -> str:
    """The code of a language that the hub speaks."""
    given = text(name, default)
    if given not in LANGUAGES_OF_PEOPLE:
        raise _unfit(name, f"one of {', '.join(LANGUAGES_OF_PEOPLE)}", given)
    return given


def whole(name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
    """A whole number between two bounds, both inclusive."""
    given = text(name, str(default))
    number = int(given) if given.isascii() and given.lstrip("-").isdecimal() else None
    if number is None or number < least or (most is not None and number > most):
        bounds = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise _unfit(name, f"a whole number {bounds}", given)
    return number


def processes(name: str) -> int:
    """How many processes: unless it is said, two for each processor, and not more than eight."""
    return whole(name, min(2 * (os.cpu_count() or 1), 8))


def port(name: str, default: int) -> int:
    """A TCP port."""
    return whole(name, default, most=65535)


def seconds(name: str, default: float) -> float:
    """A length of time above zero."""
    given = text(name, str(default))
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise _unfit(name, "a number of seconds above 0", given)
    return number


def ae_title(name: str, default: str) -> str:
    """An AE title (PS3.5 6.2: 16 characters, no backslash and no control character)."""
    given = text(name, default)
    is_plain = given.isascii() and given.isprintable() and "\\" not in given
    if not is_plain or len(given) > _LONGEST_AE_TITLE:
        raise _unfit(name, f"an AE title of at most {_LONGEST_AE_TITLE} characters", given)
    return given


def url(name: str, default: str, *, schemes: tuple[str, ...]) -> str:
    """A URL of one of the schemes; it may hold a password, so a refusal tells its scheme alone."""
    given = text(name, default)
    scheme = urlsplit(given).scheme
    if scheme not in schemes or "://" not in given:
        known = " or ".join(f"{one}://..." for one in schemes)
        raise _unfit(name, known, f"{scheme}://..." if scheme else "none")
    if scheme == "s3":
        try:
            Address.of(given)
        except StoreUrlUnfit as fault:
            raise _unfit(name, str(fault), "another form") from fault
    if scheme == "file" and (not given.startswith("file:///") or set(given) & set(_OF_URLS)):
        raise _unfit(name, f"file:///FOLDER, three slashes, {_PLAIN_PATH}", given)
    return given


def folder(name: str, default: Path) -> Path:
    """A folder, which is made where it is not there."""
    path = Path(text(name, str(default))).resolve()
    # It becomes part of URLs, which end or turn at them.
    if set(str(path)) & set(_OF_URLS):
        raise _unfit(name, f"a path {_PLAIN_PATH}", str(path))
    try:
        # Patients and secrets lie in it: of nobody but the account of the hub.
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise ImproperlyConfigured(f"{name}: {path} cannot be made: {fault.strerror}") from fault
    return path


def _unfit(name: str, expected: str, found: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name}: expected {expected}, found {found}")
