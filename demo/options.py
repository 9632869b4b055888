"""What the demonstration is asked to do: its options, and the ports it opens."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.doors import is_free

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Door:
    """One port: the option and the environment variable that set it, and what it is for."""

    option: str
    variable: str
    default: int
    purpose: str

    @property
    def name(self) -> str:
        """The attribute of argparse's result."""
        return self.option.removeprefix("--").replace("-", "_")


DOORS = (
    Door("--http-port", "HUB_HTTP_PORT", 8000, "the hub's web page and API"),
    Door("--dicom-port", "HUB_DICOM_PORT", 11112, "the hub's DICOM listener"),
    Door("--hl7-port", "HUB_HL7_PORT", 2575, "the hub's HL7 listener"),
    Door("--pacs-port", "HUB_PACS_PORT", 11113, "the stand-in PACS"),
    Door("--ris-port", "HUB_RIS_PORT", 2576, "the stand-in RIS"),
)


class CannotStart(Exception):  # noqa: N818 (named by what failed)
    """The demonstration cannot begin; the sentences say why and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    is_once: bool
    study: Path | None
    site: str
    ports: Mapping[str, int]


def read(arguments: Sequence[str]) -> Options:
    """Options of a command line; argparse ends the program where they cannot be understood."""
    parser = argparse.ArgumentParser(
        prog="make demo",
        usage='make demo [ARGS="--once | --study DIR [--site CODE]] [--http-port N] ..."]',
        description="A morning at nine hospital trusts: a hub, a stand-in PACS and a stand-in RIS.",
    )
    parser.add_argument("--once", action="store_true", help="check the outcome and end: 0 or 1")
    parser.add_argument(
        "--study", type=Path, metavar="DIR", help="send the DICOM files of this folder instead"
    )
    parser.add_argument(
        "--site", default="drammen", metavar="CODE", help="with --study: whose PACS sends them"
    )
    for door in DOORS:
        parser.add_argument(
            door.option, type=_port, default=_given(door), metavar="N",
            help=f"{door.purpose} ({door.default}, or {door.variable})",
        )  # fmt: skip
    found = parser.parse_args(arguments)
    ports = {door.name: getattr(found, door.name) for door in DOORS}
    return Options(found.once, found.study, found.site, ports)


def require_free_ports(ports: Mapping[str, int]) -> None:
    """Raises CannotStart with a sentence for each port that is taken or given twice."""
    faults = []
    taken: dict[int, Door] = {}
    for door in DOORS:
        port = ports[door.name]
        advice = f'choose another with make demo ARGS="{door.option} N" or {door.variable}=N'
        if port in taken:
            faults.append(f"Port {port} is given to {taken[port].purpose} already: {advice}.")
        elif not is_free(HOST, port):
            faults.append(
                f"Port {port} for {door.purpose} is taken by another program: {advice}, "
                "or stop that program."
            )
        taken.setdefault(port, door)
    if faults:
        raise CannotStart("\n".join(faults))


def _given(door: Door) -> str:
    # argparse puts a default that is a text through _port too.
    return os.environ.get(door.variable) or str(door.default)


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, found {text!r}")
