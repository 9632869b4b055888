"""Looks for bright lesions of the brain on FLAIR-like MR images.

Rule: inside the brain and 3 mm from its edge, connected tissue brighter than 1.5 times the median
of the brain. V being its volume in mL, the probability is V / (V + 0.5), and the finding is present
from 0.5 mL on. An example: it does not tell one cause of a lesion from another.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .contract import Json, Study, UnfitError, code, measurement, regions, run
from .images import Mask, Stack, disc, otsu, outlines_in, read_stack

BRIGHT, EDGE_MM, BRIDGE_MM = 1.5, 3.0, 2.0
SMALLEST_ML, PRESENT_ML, BRAIN_ML = 0.1, 0.5, 150.0


def analyse(study: Study) -> list[Json]:
    """One finding: lesion of the brain, with the volume and outlines of all of them."""
    series = study.largest("MR").must_show("HEAD", "BRAIN")
    stack = read_stack(series, at_least=8, pixel_mm=1.0)
    brain = brain_in(stack)
    if np.dot(brain.sum(axis=(1, 2)), stack.volumes) < BRAIN_ML:
        raise UnfitError("the images show no brain")
    lesions, volume = lesions_in(stack, brain)
    finding = {
        "code": code("301766008", "Lesion of brain"),
        "status": "present" if volume >= PRESENT_ML else "absent",
        "probability": round(volume / (volume + 0.5), 3),
        "site": code("12738006", "Brain"),
    }
    if volume >= PRESENT_ML:
        finding |= {
            "urgency": "routine",
            "tracking_id": "LESION-1",
            "measurements": [measurement(code("118565006", "Volume"), volume, "mL")],
            "regions": regions(outlines_in(stack, lesions)),
        }
    return [finding]


def brain_in(stack: Stack) -> Mask:
    """In each image the area that the dark skull parts from the scalp, edge left out."""
    spacing = stack.images[0].spacing
    tissue = stack.values > otsu(stack.values) / 2
    parted = ndimage.binary_erosion(tissue, disc(BRIDGE_MM, spacing)[np.newaxis])
    brain = np.zeros_like(tissue)
    for index, plane in enumerate(parted):
        labels, count = ndimage.label(plane)
        if count:
            sizes = np.bincount(labels.ravel())
            sizes[0] = 0
            area = ndimage.binary_closing(labels == sizes.argmax(), disc(9.0, spacing))
            brain[index] = ndimage.binary_erosion(area, disc(EDGE_MM, spacing))
    return brain


def lesions_in(stack: Stack, brain: Mask) -> tuple[Mask, float]:
    """The pixels of bright lesions, and their volume in mL."""
    smooth = ndimage.uniform_filter(stack.values, (0, 2, 2))
    bright = brain & (smooth > BRIGHT * np.median(stack.values[brain]))
    labels, count = ndimage.label(bright)
    each = np.broadcast_to(stack.volumes[:, np.newaxis, np.newaxis], labels.shape)
    volumes = np.bincount(labels.ravel(), weights=each.ravel(), minlength=count + 1)
    volumes[0] = 0
    kept = volumes >= SMALLEST_ML
    return kept[labels], float(volumes[kept].sum())


if __name__ == "__main__":
    run(analyse)
