"""Nothing of a run stays in the mailbox of a warm server, whatever the algorithm left there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vendors.performers import attendant


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that others than its maker may walk through, which pytest's own may not be."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_folders_that_the_algorithm_closed_are_emptied_too(place: Path) -> None:
    closed = place / "mailbox/run-1/output/model/deep"
    closed.mkdir(parents=True)
    (closed / "copy.dcm").write_bytes(b"pixels")
    (place / "mailbox/ready").touch()
    (place / "mailbox/response.json").write_text("{}")
    (place / "mailbox/run-1/link").symlink_to(place)
    closed.chmod(0o555)
    closed.parent.chmod(0o555)
    code = (
        f"import os, sys; sys.path.insert(0, {str(Path(attendant.__file__).parent)!r})\n"
        "import attendant; os.getuid() or os.setuid(65532)\n"
        f"attendant.wipe({str(place / 'mailbox')!r})"
    )
    # Whoever is root may do anything: as the user that owns it, like the attendant of a pod.
    subprocess.run(["chown", "-R", "65532", str(place / "mailbox")], check=False)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [one.name for one in (place / "mailbox").iterdir()] == ["ready"]
    assert place.exists()


def test_an_answer_for_another_run_is_passed_over() -> None:
    late = b'{"run": "earlier-1", "exit_code": 0}'
    assert attendant._outcome("this-1", late) is None
    assert attendant._outcome("earlier-1", late) == attendant.Outcome(0)
    unread = attendant._outcome("this-1", b"{}")
    assert unread is not None
    assert (unread.exit_code, unread.failure) == (1, "answer")


def test_what_asks_goes_before_what_answers(tmp_path: Path) -> None:
    """An algorithm that finds a request without an answer would serve it once more."""
    for name in (attendant.ANSWER, "note", attendant.REQUEST):
        (tmp_path / name).touch()
    ordered = sorted(os.scandir(tmp_path), key=attendant._when_wiped)
    assert [one.name for one in ordered] == [attendant.REQUEST, "note", attendant.ANSWER]
