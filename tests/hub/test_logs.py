"""The log tells what went wrong and where, and never what a patient is called."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from django.db import DataError

from hub import logs
from hub.group_commit import GroupCommit

NAME = "Kjærsti"


class DriverError(Exception):
    """As a driver raises it: the words quote the value, the code does not."""

    sqlstate = "22P05"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the handler of the hub would have written."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter())
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def store(name: str) -> None:
    try:
        raise DriverError(f"DETAIL: {name} cannot be converted to text")
    except DriverError as fault:
        raise DataError(str(fault)) from fault


@pytest.mark.parametrize("log", [logging.getLogger("plain"), structlog.get_logger("structured")])
def test_a_fault_is_named_by_kind_code_and_place_and_not_by_its_words(
    written: io.StringIO, log: logging.Logger
) -> None:
    try:
        store(NAME)
    except DataError:
        log.error("not stored", exc_info=True)
    (line,) = written.getvalue().splitlines()
    assert NAME not in line
    assert "django.db.utils.DataError at tests/hub/test_logs.py" in line
    assert "DriverError 22P05 at tests/hub/test_logs.py" in line
    assert "test_a_fault_is_named_by_kind_code_and_place_and_not_by_its_words" in line


def test_a_line_without_a_fault_stays_as_it_is(written: io.StringIO) -> None:
    logging.getLogger("plain").warning("all is well")
    assert "fault" not in written.getvalue()
    assert "all is well" in written.getvalue()


def test_what_spoils_a_batch_is_not_quoted(written: io.StringIO) -> None:
    may_go_on = threading.Event()

    def commit(names: Sequence[str]) -> Sequence[str]:
        may_go_on.wait(10)
        if len(names) > 1:
            store(NAME)
        return names

    commits: GroupCommit[str, str] = GroupCommit(commit)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(commits.submit, NAME) for _ in range(3)]
        time.sleep(0.2)  # one is in hand, the others gather behind it
        may_go_on.set()
        assert [answer.result(10) for answer in answers] == [NAME] * 3
    commits.close()
    assert "group_commit.batch_failed" in written.getvalue()
    assert NAME not in written.getvalue()


def test_a_stranger_that_knocks_without_end_does_not_fill_the_log() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(logs.Spare(per_minute=1, at_once=3))
    log = logging.Logger("hub.dicom.scp")
    log.addHandler(handler)
    for number in range(50):
        log.warning("refused calling=%s", f"S{number}")
    log.error("and what is an error is told")
    log.warning("and so is another line")
    lines = stream.getvalue().splitlines()
    assert lines == [
        "refused calling=S0", "refused calling=S1", "refused calling=S2",
        "and what is an error is told", "and so is another line",
    ]  # fmt: skip
