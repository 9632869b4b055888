"""Reads DICOM objects that another part of the hub hands on without looking inside."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from hub.dicom.bombs import is_bomb
from hub.passing import is_of_the_system


def read_object(path: Path) -> Dataset:
    """The data set of a Part 10 file that was validated before; large values stay on disk."""
    return pydicom.dcmread(path, defer_size=1024 * 1024)


def read_header_of(path: Path) -> Dataset:
    """All of a received instance but its pixels."""
    return pydicom.dcmread(path, stop_before_pixels=True)


def swells(path: Path) -> bool:
    """Whether a returned object inflates to more than memory is given for; damaged ones do not.

    Raises OSError where the system lets nobody look.
    """
    try:
        return is_bomb(path)
    except (OSError, zlib.error) as fault:
        if is_of_the_system(fault):
            raise
        return False  # whoever reads it in earnest says what is wrong with it


def uids_of_objects(paths: Iterable[Path]) -> frozenset[str]:
    """Series and SOP Instance UIDs that objects call their own; unreadable ones have none.

    Raises OSError where the system lets nobody look: the others may point at what one is called.
    """
    found: set[str] = set()
    for path in paths:
        try:
            dataset = pydicom.dcmread(
                path, specific_tags=["SOPInstanceUID", "SeriesInstanceUID"], stop_before_pixels=True
            )
        except (InvalidDicomError, OSError, EOFError, ValueError) as fault:
            if is_of_the_system(fault):
                raise
            continue  # whoever reads it in earnest says what is wrong with it
        own = (dataset.get("SOPInstanceUID"), dataset.get("SeriesInstanceUID"))
        found.update(str(value) for value in own if value)
    return frozenset(found)
