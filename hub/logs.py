"""How the hub writes its log: one line an event, times in UTC, names instead of patients."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import structlog

from hub.limiting import Sparing

# the loggers of what strangers reach
LISTENERS = ("hub.dicom.", "hub.hl7.", "pynetdicom")
_ROOT = f"{Path(__file__).resolve().parent.parent}/"
# what drivers and the operating system call a fault, in codes of their own
_CODES = ("sqlstate", "sqlite_errorname", "errno")


def formatter(*_args: Any, **_kwargs: Any) -> logging.Formatter:
    """The formatter of every handler: key=value on one line."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            name_the_fault,
            structlog.processors.KeyValueRenderer(
                key_order=["timestamp", "level", "logger", "event"], drop_missing=True
            ),
        ],
    )


class Spare(logging.Filter):
    """Lets through so many equal warnings of the listeners, and then tells how many it did not.

    Whoever reaches a port can cause such a line as often as it likes.
    """

    def __init__(self, *, per_minute: float = 30, at_once: float = 100) -> None:
        super().__init__()
        self._sparing = Sparing(per_minute=per_minute, burst=at_once)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written; equal are those of one logger and one sentence."""
        if not record.name.startswith(LISTENERS) or record.levelno > logging.WARNING:
            return True
        untold = self._sparing.untold((record.name, record.msg))
        if untold:
            record.msg = f"{record.msg} untold_before={untold}"
        return untold is not None


def configure() -> None:
    """Make structlog's loggers write through the standard library's handlers."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def name_the_fault(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Tell of an exception what it is and where it was raised, and never what it says.

    The words of a database or of a reader quote the very value that they could not take, which
    may be a patient's name.
    """
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    fault = given[1] if isinstance(given, tuple) else given
    if isinstance(fault, BaseException):
        event["fault"] = " from ".join(_named(one) for one in _chain(fault))
        event["where"] = " > ".join(_frames(fault))
    return event


def _chain(fault: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = fault
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)


def _named(fault: BaseException) -> str:
    kind = type(fault)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    codes = [str(code) for field in _CODES if (code := getattr(fault, field, None))]
    return " ".join([name, *codes, *(f"at {place}" for place in _frames(fault)[-1:])])


def _frames(fault: BaseException) -> list[str]:
    return [
        f"{frame.filename.removeprefix(_ROOT)}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(fault.__traceback__)
    ]
