"""A setting that cannot be meant is refused by its name, before anything is done with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from hub import environment

ROOT = Path(__file__).parents[2]
DATABASES = ("sqlite", "postgres")


def a_flag(name: str) -> bool:
    return environment.flag(name, default=True)


def a_port(name: str) -> int:
    return environment.port(name, 8000)


def a_time(name: str) -> float:
    return environment.seconds(name, 30.0)


def a_title(name: str) -> str:
    return environment.ae_title(name, "HUB")


def a_database(name: str) -> str:
    return environment.url(name, "sqlite:///hub.sqlite3", schemes=DATABASES)


@pytest.mark.parametrize(
    ("read", "given", "value"),
    [
        (a_flag, "off", False),
        (a_flag, "On", True),
        (a_flag, "", True),
        (a_port, "11112", 11112),
        (a_port, " ", 8000),
        (a_time, "0.5", 0.5),
        (a_title, "DRAMMEN HUB", "DRAMMEN HUB"),
        (a_database, "postgres://u:p@h/n", "postgres://u:p@h/n"),
        (a_database, "", "sqlite:///hub.sqlite3"),
    ],
)
def test_what_is_meant_is_taken_and_nothing_is_the_default(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Any], given: str, value: Any
) -> None:
    monkeypatch.setenv("HUB_TRIED", given)
    assert read("HUB_TRIED") == value


@pytest.mark.parametrize(
    ("read", "given", "expected"),
    [
        (a_flag, "ture", "on or off"),
        (a_port, "abc", "a whole number from 1 to 65535"),
        (a_port, "0", "a whole number from 1 to 65535"),
        (a_port, "70000", "a whole number from 1 to 65535"),
        (a_time, "-4", "a number of seconds above 0"),
        (a_time, "soon", "a number of seconds above 0"),
        (a_time, "inf", "a number of seconds above 0"),
        (a_time, "nan", "a number of seconds above 0"),
        (a_title, "SEVENTEEN-LETTERS", "an AE title of at most 16 characters"),
        (a_title, "A\\B", "an AE title of at most 16 characters"),
        (a_database, "hub.sqlite3", "sqlite://... or postgres://..."),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Any], given: str, expected: str
) -> None:
    monkeypatch.setenv("HUB_TRIED", given)
    with pytest.raises(ImproperlyConfigured) as refused:
        read("HUB_TRIED")
    assert str(refused.value).startswith(f"HUB_TRIED: expected {expected}, found ")


def test_a_refused_address_never_tells_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TRIED", "mysql://hub:secret@db/hub")
    with pytest.raises(ImproperlyConfigured) as refused:
        a_database("HUB_TRIED")
    assert "mysql://..." in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_folder_is_made_or_named_where_it_cannot_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HUB_TRIED", str(tmp_path / "state" / "var"))
    made = environment.folder("HUB_TRIED", tmp_path)
    assert made.is_dir()
    assert made.stat().st_mode & 0o077 == 0, "others on this host could read patients"
    (tmp_path / "file").touch()
    monkeypatch.setenv("HUB_TRIED", str(tmp_path / "file" / "var"))
    with pytest.raises(ImproperlyConfigured, match="HUB_TRIED: .*cannot be made"):
        environment.folder("HUB_TRIED", tmp_path)


@pytest.mark.parametrize("given", ["file://tmp/spool", "file://", "file:///a#b", "file:///a%20b"])
def test_a_folder_that_another_would_be_taken_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("HUB_TRIED", given)
    with pytest.raises(ImproperlyConfigured, match="HUB_TRIED: expected file:///FOLDER"):
        environment.url("HUB_TRIED", "", schemes=("file",))
    monkeypatch.setenv("HUB_TRIED", "/srv/hub#1")
    with pytest.raises(ImproperlyConfigured, match="HUB_TRIED: expected a path without"):
        environment.folder("HUB_TRIED", Path())


def a_file(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> Path:
    for name in ("HUB_TRIED", "HUB_TRAID"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    monkeypatch.setattr(environment, "_in_file", {})
    path = folder / ".env"
    path.write_bytes(content)
    return path


def test_a_file_is_read_with_its_mark_comments_and_quotes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = b"\xef\xbb\xbfHUB_TRIED='MY HUB'\r\n\r\n# HUB = x\r\n"
    environment.read_file(a_file(tmp_path, monkeypatch, content))
    assert environment.ae_title("HUB_TRIED", "HUB") == "MY HUB"
    environment.refuse_unknown()
    environment.read_file(tmp_path / "not there")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"A=1\nHUB_TRIED = secret\n", r"\.env:2: expected NAME=value"),
        (b"HUB_TRIED: secret\n", r"\.env:1: expected NAME=value"),
        (b"  HUB_TRIED=secret\n", r"\.env:1: expected NAME=value"),
        (b"HUB_TRIED=\xe6\n", r"\.env: cannot be read: it is not in UTF-8"),
    ],
)
def test_a_line_that_would_be_passed_over_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=words) as refused:
        environment.read_file(a_file(tmp_path, monkeypatch, content))
    assert "secret" not in str(refused.value)


def test_a_misspelt_setting_is_refused_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.read_file(a_file(tmp_path, monkeypatch, b"OTHER=1\nHUB_TRAID=on\n"))
    environment.flag("HUB_TRIED", default=False)
    with pytest.raises(ImproperlyConfigured) as refused:
        environment.refuse_unknown()
    assert str(refused.value).endswith(
        ".env:2: expected a setting, found HUB_TRAID; did you mean HUB_TRIED?"
    )


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"HUB_HTTP_PORT": "web"}, "HUB_HTTP_PORT: expected a whole number"),
        ({"HUB_DATABASE_URL": "postgres://hub@db/hub"}, "HUB_SECRET_KEY: expected a random text"),
        ({"HUB_SECRET_KEY": "short"}, "HUB_SECRET_KEY: expected a random text"),
        (
            {"HUB_SECRET_KEY_FALLBACKS": f"{'k' * 60},short"},
            "HUB_SECRET_KEY_FALLBACKS: expected a random text of at least 50 characters, or "
            "several with commas, found one of 5 characters",
        ),
        ({"HUB_LANGUAGE": "no"}, "HUB_LANGUAGE: expected one of en, nb, da, found no"),
        ({"HUB_IDENTITY_KEY": "short"}, "HUB_IDENTITY_KEY: expected a random text"),
        (
            {"HUB_WORKERS": "receive,route;rum"},
            "HUB_WORKERS: expected some of receive,route,run,write_back,billing, found rum",
        ),
    ],
)
def test_the_command_line_tells_it_in_one_line(
    tmp_path: Path, setting: dict[str, str], words: str
) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check"],
        env={"HUB_STATE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"} | setting,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(words)


def test_a_standby_may_be_named_beside_the_primary(tmp_path: Path) -> None:
    """And a server that fell silent is given up while its standby takes over."""
    said = "from hub import settings; print(settings.DATABASES['default'])"
    url = "postgres://u:p@one:5432,two:5433/hub?target_session_attrs=read-write&connect_timeout=9"
    done = subprocess.run(
        [sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True,
        env={"HUB_STATE_DIR": str(tmp_path), "HUB_SECRET_KEY": "0123456789" * 6,
             "HUB_DATABASE_URL": url},
    )  # fmt: skip
    assert "'HOST': 'one,two', 'PORT': '5432,5433'" in done.stdout
    assert "'target_session_attrs': 'read-write'" in done.stdout
    assert "'tcp_user_timeout': 15000" in done.stdout
    assert "'connect_timeout': '9'" in done.stdout or "'connect_timeout': 9" in done.stdout
