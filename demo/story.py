"""Lets the morning happen: orders and images come, one study in two parts, and wait for the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from demo.morning import MORNING, Case
from demo.neighbours import Neighbours
from demo.options import CannotStart
from demo.watching import Watch
from hub.hl7.datatypes import read_priority

FIRST_SECONDS = 60.0
ALL_SECONDS = 90.0


def play(neighbours: Neighbours, watch: Watch, folder: Path) -> bool:
    """Send everything; whether the hub came to the end of every study in time."""
    files = {}
    for case in MORNING:
        files[case] = case.write(folder)
        _send(neighbours, watch, case, files[case][: case.first_part or None])
    for case in MORNING:
        if case.first_part:
            watch.wait_until(_settled(watch, case, 1), seconds=FIRST_SECONDS)
            late = files[case][case.first_part :]
            watch.teller.event("PACS -> hub", case.site, f"{len(late)} late images")
            _store(neighbours, case, late)
    return all(
        watch.wait_until(_settled(watch, case, case.expected.revision), seconds=ALL_SECONDS)
        for case in MORNING
    )


def _send(neighbours: Neighbours, watch: Watch, case: Case, files: Sequence[Path]) -> None:
    if case.order and not case.is_order_late:
        _order(neighbours, watch, case)
    images = f"{len(files)} {case.modality} image{'s' if len(files) > 1 else ''}"
    watch.teller.event("PACS -> hub", case.site, f"{images}, {case.description}: {case.story}")
    _store(neighbours, case, files)
    if case.is_order_late:
        _order(neighbours, watch, case)
    watch.look()


def _order(neighbours: Neighbours, watch: Watch, case: Case) -> None:
    words = f"order, {read_priority(case.priority)}: {case.description} ({case.order})"
    watch.teller.event("RIS -> hub", case.site, words)
    neighbours.send_order(case)


def _store(neighbours: Neighbours, case: Case, files: Sequence[Path]) -> None:
    refused = [one for one in neighbours.send_images(case.site, files) if not one.is_success]
    if refused:
        raise CannotStart(
            f"The hub did not take {len(refused)} images of {case.site}: "
            f"0x{refused[0].status:04X} {refused[0].text}"
        )


def _settled(watch: Watch, case: Case, revision: int) -> Callable[[], bool]:
    return lambda: watch.is_settled(case.study_instance_uid, revision=revision)
