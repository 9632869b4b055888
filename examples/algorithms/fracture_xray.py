"""Looks for a fracture on radiographs of limbs: a narrow dark gap across a long bone.

Rule: bone is the brightest of three classes of pixels (Otsu); where a circle of 1.1 mm closes a gap
between two pieces of bone, the gap is at least 5 mm long, and runs across the bone, it is a
fracture. L being the length of the longest in mm, the probability is L / (L + 3). Joints are wider.
An example: it sees no fracture without a gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .contract import Json, Study, UnfitError, code, measurement, regions, run
from .images import Image, Mask, areas, brightest_of_three, disc, outlines_of, read_image

GAP_MM, SHORTEST_MM, WIDEST_MM = 1.1, 5.0, 2.5
PIECE_MM2, BONE_MM2 = 40.0, 150.0
LIMBS = ("HAND", "WRIST", "FINGER", "FOREARM", "FOOT", "TOE", "EXTREMITY", "ARM", "LEG")
ACROSS = np.cos(np.radians(45))


def analyse(study: Study) -> list[Json]:
    """One finding: fracture of bone, over all images of the series."""
    series = study.largest("DX", "CR").must_show(*LIMBS)
    found = [(image, gap) for image in _images(series.paths) for gap in gaps_in(image)]
    longest = max((length_of(image, gap) for image, gap in found), default=0.0)
    finding = {
        "code": code("125605004", "Fracture of bone"),
        "status": "present" if found else "absent",
        "probability": round(longest / (longest + 3), 3),
        "site": code("272673000", "Bone"),
    }
    if found:
        outlines = [one for image, gap in found for one in outlines_of(image, gap)]
        finding |= {
            "urgency": "high",
            "tracking_id": "FX-1",
            "measurements": [measurement(code("410668003", "Length"), longest, "mm")],
            "regions": regions(outlines),
        }
    return [finding]


def _images(paths: tuple[Path, ...]) -> Iterator[Image]:
    for path in paths:
        yield read_image(path, pixel_mm=0.3)


def gaps_in(image: Image) -> Iterator[Mask]:
    """Each gap that is narrow, long, and runs across the bone it parts."""
    values = ndimage.uniform_filter(image.values, 3)
    bone = areas(values > brightest_of_three(values), at_least=PIECE_MM2 / image.pixel_area)
    if bone.sum() * image.pixel_area < BONE_MM2:
        raise UnfitError("an image shows no bone")
    closed = ndimage.binary_closing(bone, disc(GAP_MM, image.spacing))
    pieces, _ = ndimage.label(bone)
    gaps, _ = ndimage.label(closed & ~bone)
    for number, where in enumerate(ndimage.find_objects(gaps), 1):
        gap = gaps[where] == number
        if length_of(image, gap) >= SHORTEST_MM and is_across(image, gaps == number, pieces):
            yield gaps == number


def length_of(image: Image, area: Mask) -> float:
    """Length of an area in mm, along its longest axis."""
    places = np.argwhere(area) * image.spacing
    along = places @ axis_of(places)
    return float(np.ptp(along)) + image.spacing[0]


def is_across(image: Image, gap: Mask, pieces: NDArray[np.int32]) -> bool:
    """Whether the gap is narrow and parts two pieces of bone at an angle to the larger one."""
    if gap.sum() * image.pixel_area / length_of(image, gap) > WIDEST_MM:
        return False
    near = ndimage.binary_dilation(gap, iterations=3)
    touched = [number for number in np.unique(pieces[near]) if number]
    if len(touched) < 2:
        return False
    places = [np.argwhere(pieces == number) * image.spacing for number in touched]
    larger = max(places, key=len)
    return bool(abs(axis_of(np.argwhere(gap) * image.spacing) @ axis_of(larger)) < ACROSS)


def axis_of(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction in which places spread most."""
    if len(places) < 2:
        return np.array([1.0, 0.0])
    _, vectors = np.linalg.eigh(np.cov(places.T))
    return np.asarray(vectors[:, -1])


if __name__ == "__main__":
    run(analyse)
