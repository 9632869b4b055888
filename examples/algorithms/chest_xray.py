"""Looks for a pneumothorax on frontal radiographs of the chest: air without vessels beside a lung.

Rule: lungs are the dark areas inside the chest (Otsu); an area in one of them that is darker than
lung tissue and without its pattern of vessels is free air. F being its share of that lung, the
probability is F / (F + 0.05), and the finding is present from 5 % on. An example: bullae look the
same.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .contract import Json, Study, UnfitError, code, measurement, regions, run
from .images import Image, Mask, disc, otsu, outlines_of, read_image

PIXEL_MM, WINDOW_MM, EDGE_MM, SMOOTH_MM = 1.0, 9.0, 2.0, 3.0
LUNG_MM2, PRESENT_SHARE, DARKER = 3000.0, 0.05, 1.5


def analyse(study: Study) -> list[Json]:
    """One finding: pneumothorax, of the image in which it is largest."""
    series = study.largest("DX", "CR").must_show("CHEST", "THORAX")
    found = [free_air(read_image(path, pixel_mm=PIXEL_MM)) for path in series.paths]
    image, air, share = max(found, key=lambda one: one[2])
    finding = {
        "code": code("36118008", "Pneumothorax"),
        "status": "present" if share >= PRESENT_SHARE else "absent",
        "probability": round(share / (share + 0.05), 3),
        "site": code("39607008", "Lung"),
    }
    if share >= PRESENT_SHARE:
        area = air.sum() * image.pixel_area / 100
        finding |= {
            "urgency": "stat",
            "laterality": side_of(image, air),
            "tracking_id": "PTX-1",
            "measurements": [measurement(code("42798000", "Area"), area, "cm2")],
            "regions": regions(outlines_of(image, air)),
        }
    return [finding]


def free_air(image: Image) -> tuple[Image, Mask, float]:
    """The largest area of free air and its share of the lung it is in."""
    lungs = lungs_in(image)
    window = max(3, round(WINDOW_MM / image.spacing[0]))
    mean = ndimage.uniform_filter(image.values, window)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(image.values**2, window) - mean**2, 0))
    within = ndimage.binary_erosion(lungs > 0, disc(EDGE_MM, image.spacing))
    if not within.any():
        raise UnfitError("the image shows no lungs")
    usual, typical = np.median(mean[within]), np.median(spread[within])
    air = within & (mean < usual - DARKER * typical) & (spread < 1.2 * typical)
    air = ndimage.binary_opening(air, disc(SMOOTH_MM, image.spacing))
    labels, count = ndimage.label(air)
    if not count:
        return image, air, 0.0
    largest = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
    lung = lungs == np.bincount(lungs[largest]).argmax()
    return image, largest, float(largest.sum() / lung.sum())


def lungs_in(image: Image) -> np.ndarray:
    """1 and 2 in the two lungs, 0 elsewhere; raises UnfitError."""
    dark = image.values < otsu(image.values)
    labels, _ = ndimage.label(ndimage.binary_opening(dark, disc(2.0, image.spacing)))
    sizes = np.bincount(labels.ravel()) * image.pixel_area
    sizes[0] = 0
    sizes[np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = 0
    largest = [number for number in np.argsort(sizes)[::-1][:2] if sizes[number] >= LUNG_MM2]
    if len(largest) < 2:
        raise UnfitError("the image shows no two lungs within a chest")
    return np.where(labels == largest[0], 1, np.where(labels == largest[1], 2, 0))


def side_of(image: Image, air: Mask) -> str | None:
    """The patient's side, where Patient Orientation (0020,0020) tells which it is."""
    rows = (image.header.get("PatientOrientation") or [""])[0]
    is_right_half = np.argwhere(air)[:, 1].mean() > air.shape[1] / 2
    if rows not in ("L", "R"):
        return None
    return "left" if is_right_half == (rows == "L") else "right"


if __name__ == "__main__":
    run(analyse)
