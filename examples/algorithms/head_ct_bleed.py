"""Looks for fresh blood inside the skull on CT of the head without contrast.

Rule: inside the skull (bone is above 300 HU) and at least 3 mm from bone, connected tissue of 50 to
90 HU that is thicker than a membrane. V being its volume in mL, the probability is V / (V + 1), and
the finding is present from 1 mL on. An example: it misses thin blood along the bone, and takes some
tumours for blood.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .contract import Json, Study, UnfitError, code, measurement, regions, run
from .images import Mask, Stack, disc, outlines_in, read_stack

BONE_HU, BLOOD_HU, BRAIN_HU = 300, (50, 90), (0, 70)
MARGIN_MM, MEMBRANE_MM = 3.0, 2.0
SMALLEST_ML, PRESENT_ML, BRAIN_ML = 0.3, 1.0, 150.0
SMALLEST_INTERIOR_MM2 = 800.0


def analyse(study: Study) -> list[Json]:
    """One finding: intracranial hemorrhage, with its volume, side and outlines."""
    series = study.largest("CT").must_show("HEAD", "BRAIN", "SKULL")
    stack = read_stack(series, at_least=10, pixel_mm=1.0)
    brain = inside_skull(stack)
    if np.dot(brain.sum(axis=(1, 2)), stack.volumes) < BRAIN_ML:
        raise UnfitError("the images show no brain inside a skull")
    blood, volume = blood_in(stack, brain)
    finding = {
        "code": code("1386000", "Intracranial hemorrhage"),
        "status": "present" if volume >= PRESENT_ML else "absent",
        "probability": round(volume / (volume + 1), 3),
        "site": code("12738006", "Brain"),
    }
    if volume >= PRESENT_ML:
        finding |= {
            "urgency": "stat",
            "laterality": side_of(stack, blood, brain),
            "tracking_id": "ICH-1",
            "measurements": [measurement(code("118565006", "Volume"), volume, "mL")],
            "regions": regions(outlines_in(stack, blood)),
        }
    return [finding]


def inside_skull(stack: Stack) -> Mask:
    """What bone encloses in each image, away from bone in all three directions."""
    spacing = stack.images[0].spacing
    bone = ndimage.binary_dilation(stack.values > BONE_HU, disc(MARGIN_MM, spacing)[np.newaxis])
    pixel_area = stack.images[0].pixel_area
    brain = np.zeros_like(bone)
    for index, (plane, values) in enumerate(zip(bone, stack.values, strict=True)):
        labels, _ = ndimage.label(~plane)
        sizes = np.bincount(labels.ravel()) * pixel_area
        border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        sizes[np.unique(border)] = 0
        sizes[0] = 0
        for number in np.flatnonzero(sizes >= SMALLEST_INTERIOR_MM2):
            area = labels == number
            if BRAIN_HU[0] < np.median(values[area]) < BRAIN_HU[1]:
                brain[index] |= area
    # a thick image next to bone is part bone, and looks like blood
    above_and_below = np.ones((3, 1, 1), bool)
    brain &= ~ndimage.binary_dilation(bone, above_and_below)
    return brain


def blood_in(stack: Stack, brain: Mask) -> tuple[Mask, float]:
    """The pixels of fresh blood, and their volume in mL."""
    smooth = ndimage.uniform_filter(stack.values, (0, 3, 3))
    dense = brain & (smooth >= BLOOD_HU[0]) & (smooth <= BLOOD_HU[1])
    thick = ndimage.binary_opening(dense, disc(MEMBRANE_MM, stack.images[0].spacing)[np.newaxis])
    labels, count = ndimage.label(thick)
    each = np.broadcast_to(stack.volumes[:, np.newaxis, np.newaxis], labels.shape)
    volumes = np.bincount(labels.ravel(), weights=each.ravel(), minlength=count + 1)
    volumes[0] = 0
    kept = volumes >= SMALLEST_ML
    return kept[labels], float(volumes[kept].sum())


def side_of(stack: Stack, blood: Mask, brain: Mask) -> str:
    """On which side of the middle of the brain four fifths of the blood lie."""
    columns = np.arange(blood.shape[2])
    middle = np.average(columns, weights=brain.sum(axis=(0, 1)))
    high = blood.sum(axis=(0, 1))[columns > middle].sum() / blood.sum()
    # Image Orientation (Patient) begins with the direction of growing columns; +x is left
    left = high if float(stack.images[0].header.ImageOrientationPatient[0]) > 0 else 1 - high
    return "left" if left >= 0.8 else "right" if left <= 0.2 else "bilateral"


if __name__ == "__main__":
    run(analyse)
