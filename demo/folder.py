"""Sends the DICOM files of a folder of the user's, and lets the hub say what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from demo.neighbours import Neighbours
from demo.options import CannotStart
from demo.telling import Teller
from demo.watching import Watch
from hub.dicom.scu import AssociationRefused, NotSendable, StoreInterrupted, Unreachable

MOST_TOLD = 8
SETTLE_SECONDS = 600.0


@dataclass
class Found:
    """What lies in a folder: the images of each study, and what was left, with the reason."""

    studies: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    skipped: dict[Path, str] = field(default_factory=dict)


def look_into(folder: Path) -> Found:
    """Sort the files below a folder; raises CannotStart where there is nothing to send."""
    if not folder.is_dir():
        raise CannotStart(f"{folder} is not a folder.")
    found = Found()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if said := _study_of(path):
            found.studies[said].append(path)
        else:
            found.skipped[path] = _why_not(path)
    if not found.studies:
        number = len(found.skipped)
        raise CannotStart(
            f"No DICOM image in {folder}: it holds no file at all."
            if not number
            else f"No DICOM image in {folder}: of {number} files, none can be sent, such as "
            f"{next(iter(found.skipped))}: {next(iter(found.skipped.values()))}."
        )
    return found


def send(found: Found, site: str, neighbours: Neighbours, watch: Watch) -> bool:
    """Send every study as the PACS of the site; whether the hub came to an end of all of them."""
    teller = watch.teller
    _tell_skipped(teller, found.skipped)
    for uid, files in found.studies.items():
        teller.event("PACS -> hub", site, f"{_count(files)} of study {uid}")
        try:
            outcomes = neighbours.send_images(site, files)
        except (NotSendable, StoreInterrupted, AssociationRefused, Unreachable) as fault:
            teller.event("", site, f"not sent: {fault}")
            continue
        for one in [one for one in outcomes if not one.is_success][:MOST_TOLD]:
            words = f"{one.sop_instance_uid} was refused: 0x{one.status:04X} {one.text}"
            teller.event("hub -> PACS", site, words)
        watch.look()
    received = [uid for uid in found.studies if watch.client.study(uid)]
    return bool(received) and all(
        watch.wait_until(lambda uid=uid: watch.is_settled(uid), seconds=SETTLE_SECONDS)  # type: ignore[misc]
        for uid in received
    )


def explain(found: Found, neighbours: Neighbours, teller: Teller) -> None:
    """What the hub itself says of each study (`manage.py explain`)."""
    for uid in found.studies:
        teller.title(f"manage.py explain {uid}")
        try:
            teller.say(neighbours.hub.manage("explain", uid))
        except CannotStart as fault:
            teller.say(f"  {fault}")


def _count(files: Sequence[Path]) -> str:
    return f"{len(files)} image{'s' * (len(files) != 1)}"


def _study_of(path: Path) -> str:
    header = _header(path)
    if header is None or header[1] == MediaStorageDirectoryStorage:
        return ""
    return header[0]


def _why_not(path: Path) -> str:
    header = _header(path)
    if header is None:
        return "no DICOM file"
    if header[1] == MediaStorageDirectoryStorage:
        return "a directory of files (DICOMDIR), not an image"
    return "no Study Instance UID"


def _header(path: Path) -> tuple[str, str] | None:
    try:
        dataset = dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
        return (
            str(dataset.get("StudyInstanceUID", "")),
            str(dataset.file_meta.get("MediaStorageSOPClassUID", "")),
        )
    except (InvalidDicomError, OSError):
        return None
    except Exception:  # noqa: BLE001 (a broken file may fail anywhere in the reader)
        return None


def _tell_skipped(teller: Teller, skipped: Mapping[Path, str]) -> None:
    for path, why in list(skipped.items())[:MOST_TOLD]:
        teller.event("", "", f"left out {path}: {why}")
    if len(skipped) > MOST_TOLD:
        teller.event("", "", f"left out {len(skipped) - MOST_TOLD} more files")
