"""Reads DICOM images as numbers with a size in millimetres, and draws outlines of what is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from scipy import ndimage

from .contract import BadInputError, Series, UnfitError

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Image:
    """One image, made coarser by ``factor``; high values are bright.

    ``spacing`` is (row, column) in mm; ``values`` are those after the modality LUT: Hounsfield
    units for CT (PS3.3 C.11.1).
    """

    header: Dataset
    values: Floats
    factor: int
    spacing: tuple[float, float]

    @property
    def uid(self) -> str:
        """SOP Instance UID."""
        return str(self.header.SOPInstanceUID)

    @property
    def pixel_area(self) -> float:
        """Area of one pixel in mm2."""
        return self.spacing[0] * self.spacing[1]


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel images of one size in the order of their positions; ``heights`` in mm."""

    images: tuple[Image, ...]
    values: Floats
    heights: NDArray[np.float64]

    @property
    def volumes(self) -> NDArray[np.float64]:
        """Millilitres that one pixel of each image stands for: gaps may differ in one series."""
        edges = (self.heights[1:] + self.heights[:-1]) / 2
        first = 2 * self.heights[0] - edges[0]
        last = 2 * self.heights[-1] - edges[-1]
        thick = np.diff(np.concatenate([[first], edges, [last]]))
        return np.asarray(thick * self.images[0].pixel_area / 1000)


def read_image(path: Path, *, pixel_mm: float) -> Image:
    """The image, made coarser to pixels of about ``pixel_mm``; raises UnfitError, BadInputError."""
    try:
        header = dcmread(path)
    except Exception as error:
        raise BadInputError(f"{path.name} cannot be read as DICOM: {error}") from error
    try:
        stored = header.pixel_array
    except Exception as error:
        raise UnfitError(f"the pixels of an image cannot be decoded: {error}") from error
    if stored.ndim != 2:
        raise UnfitError("an image has several frames or colours")
    spacing = header.get("PixelSpacing") or header.get("ImagerPixelSpacing")
    if not spacing or min(map(float, spacing)) <= 0:
        raise UnfitError("an image does not tell the size of its pixels")
    row, column = map(float, spacing)
    factor = max(1, round(pixel_mm / max(row, column)))
    values = _coarser(stored, factor) * float(header.get("RescaleSlope", 1))
    values += float(header.get("RescaleIntercept", 0))
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        values = values.max() - values
    return Image(header, values, factor, (row * factor, column * factor))


def read_stack(series: Series, *, at_least: int, pixel_mm: float) -> Stack:
    """The parallel images of a series, localizers left out; raises UnfitError, BadInputError."""
    found = [read_image(path, pixel_mm=pixel_mm) for path in series.paths]
    found = [image for image in found if _is_slice(image.header)]
    groups = Counter(_plane(image) for image in found)
    if not groups or groups.most_common(1)[0][1] < at_least:
        raise UnfitError(f"the series has fewer than {at_least} parallel images")
    plane = groups.most_common(1)[0][0]
    placed = {_height(image.header): image for image in found if _plane(image) == plane}
    if len(placed) < at_least:
        raise UnfitError(f"the series has fewer than {at_least} images at places of their own")
    heights = np.array(sorted(placed))
    images = tuple(placed[height] for height in heights)
    return Stack(images, np.stack([image.values for image in images]), heights)


def outlines_in(
    stack: Stack, mask: Mask, *, most_images: int = 12
) -> Iterator[tuple[str, list[list[float]]]]:
    """(SOP Instance UID, polygon) of each connected area in the images that show most of ``mask``.

    A reader opens the few that show it best; every pixel of it would be a segmentation's to tell.
    """
    areas = mask.sum(axis=(1, 2))
    best = np.sort(np.argsort(-areas, kind="stable")[:most_images])
    for index in best[areas[best] > 0]:
        yield from outlines_of(stack.images[index], mask[index])


def outlines_of(image: Image, plane: Mask) -> Iterator[tuple[str, list[list[float]]]]:
    """(SOP Instance UID, polygon) of each connected area, in pixels of the image as it came."""
    labels, count = ndimage.label(plane)
    for number in range(1, count + 1):
        corners = outline(labels == number)
        yield image.uid, [[float(c * image.factor), float(r * image.factor)] for c, r in corners]


def outline(area: Mask) -> list[tuple[int, int]]:
    """The outer edge of a connected area as (column, row) of pixel corners, clockwise."""
    inside = np.pad(area, 1)
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for shift, start, step in (
        ((-1, 0), (0, 0), (1, 0)),
        ((0, 1), (1, 0), (0, 1)),
        ((1, 0), (1, 1), (-1, 0)),
        ((0, -1), (0, 1), (0, -1)),
    ):
        edge = inside & ~np.roll(inside, (-shift[0], -shift[1]), (0, 1))
        for row, column in np.argwhere(edge) - 1:
            steps.setdefault((int(column) + start[0], int(row) + start[1]), []).append(step)
    at = first = min(steps, key=lambda corner: (corner[1], corner[0]))
    heading, corners = (0, -1), []
    while not corners or at != first:
        # where two areas of it meet in a corner, turn right: stay on the same one
        turn = max(steps[at], key=lambda step: heading[0] * step[1] - heading[1] * step[0])
        if turn != heading:
            corners.append(at)
        at, heading = (at[0] + turn[0], at[1] + turn[1]), turn
    return corners


def otsu(values: NDArray[Any]) -> float:
    """The threshold that best splits ``values`` into dark and bright (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1:-1][np.nanargmax(between)])


def brightest_of_three(values: NDArray[Any]) -> float:
    """The threshold above which lies the brightest of three classes (Otsu's measure)."""
    counts, edges = np.histogram(values, 64)
    share = np.concatenate([[0.0], np.cumsum(counts / counts.sum())])
    sums = np.concatenate([[0.0], np.cumsum(counts / counts.sum() * (edges[1:] + edges[:-1]) / 2)])
    low, high = np.triu_indices(64, 1)
    low, high = low[low > 0], high[low > 0]
    between = np.zeros(low.shape)
    for start, end in ((np.zeros_like(low), low), (low, high), (high, np.full_like(low, 64))):
        weight = share[end] - share[start]
        between += (sums[end] - sums[start]) ** 2 / np.maximum(weight, 1e-12)
    return float(edges[high[between.argmax()]])


def areas(mask: Mask, *, at_least: float) -> Mask:
    """``mask`` without the connected areas of fewer than ``at_least`` pixels."""
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(sizes[labels] >= max(at_least, 1))


def disc(radius_mm: float, spacing: tuple[float, float]) -> Mask:
    """A filled circle, as a structuring element."""
    rows, columns = (int(radius_mm / one) for one in spacing)
    row, column = np.ogrid[-rows : rows + 1, -columns : columns + 1]
    away = (row * spacing[0]) ** 2 + (column * spacing[1]) ** 2
    return np.asarray(away <= radius_mm**2)


def _coarser(stored: NDArray[Any], factor: int) -> Floats:
    if factor == 1:
        return stored.astype(np.float32)
    rows, columns = (length // factor for length in stored.shape)
    blocks = stored[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def _is_slice(header: Dataset) -> bool:
    kind = header.get("ImageType") or []
    has_place = bool(header.get("ImagePositionPatient") and header.get("ImageOrientationPatient"))
    return has_place and "LOCALIZER" not in kind


def _plane(image: Image) -> tuple[Any, ...]:
    axes = tuple(round(float(one), 3) for one in image.header.ImageOrientationPatient)
    return (*image.values.shape, *image.spacing, *axes)


def _height(header: Dataset) -> float:
    """Distance along the normal of the image plane in mm, right also where the gantry is tilted."""
    axes = np.array(header.ImageOrientationPatient, float)
    normal = np.cross(axes[:3], axes[3:])
    return float(round(np.dot(normal, np.array(header.ImagePositionPatient, float)), 3))
