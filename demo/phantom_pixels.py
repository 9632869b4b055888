"""Draws the pixels of made-up patients: geometry in millimetres, values as they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Pixels = NDArray[np.uint16]
Floats = NDArray[np.float32]
Pair = tuple[float, float]
HU_OFFSET = 1024  # stored value of 0 HU


@dataclass(frozen=True, slots=True)
class Grid:
    """``slices`` images of ``size`` x ``size`` pixels over ``field`` mm, ``height`` mm in all."""

    slices: int
    size: int
    field: float
    height: float = 1.0

    @property
    def spacing(self) -> float:
        """Width of one pixel in mm."""
        return self.field / self.size

    @property
    def gap(self) -> float:
        """Distance between two slices in mm."""
        return self.height / self.slices

    def plane(self) -> tuple[Floats, Floats]:
        """x (to the patient's left) and y (to the back, or downwards) of each pixel in mm."""
        axis = (np.arange(self.size, dtype=np.float32) + 0.5) * self.spacing - self.field / 2
        return axis[np.newaxis, :], axis[:, np.newaxis]

    def heights(self) -> list[float]:
        """z of each slice in mm, from below, 0 in the middle."""
        return [(index + 0.5) * self.gap - self.height / 2 for index in range(self.slices)]


def ellipse(x: Floats, y: Floats, centre: Pair, radii: Pair) -> Floats:
    """Below 1 inside, 1 on the edge."""
    across, down = (x - centre[0]) / radii[0], (y - centre[1]) / radii[1]
    return np.asarray(np.sqrt(across * across + down * down), np.float32)


def noise(rng: np.random.Generator, size: int, sigma: float) -> Iterator[Floats]:
    """Endless noise of one tile, shifted for each image: drawing anew would take seconds."""
    tile = rng.normal(0, sigma, (size, size)).astype(np.float32)
    while True:
        yield np.roll(tile, tuple(rng.integers(0, size, 2)), (0, 1))


def stored(values: Floats, offset: int = 0) -> Pixels:
    """As 12 stored bits."""
    return np.clip(np.rint(values + offset), 0, 4095).astype(np.uint16)


def head_ct(rng: np.random.Generator, grid: Grid, *, is_abnormal: bool) -> Iterator[Pixels]:
    """Scalp, skull, brain, ventricles and falx; abnormal: fresh blood of some 12 mL, 68 HU."""
    x, y = grid.plane()
    side = rng.choice([-1.0, 1.0])
    blood = (side * rng.uniform(24, 32), rng.uniform(-14, 14), rng.uniform(4, 16))
    scale = rng.uniform(0.92, 1.08)
    grain = noise(rng, grid.size, 4.0)
    for z in grid.heights():
        taper = np.sqrt(max(0.0, 1 - (max(z, 0.0) / 76) ** 2))
        edge = ellipse(x, y, (0, 0), (76, 95)) * 76
        depth = 76 * taper - edge  # mm below the skin, about
        image = np.full((grid.size, grid.size), -1000, np.float32)
        image[depth > 0] = 30
        image[depth > 5] = 1000
        brain = depth > 12
        image[brain] = 29
        image[brain & (depth < 20)] = 38
        image[brain & (abs(x) < 0.8) & (abs(y) > 40)] = 55
        for wing in (-1, 1):
            ventricle = ellipse(x, y, (wing * 11, 0), (6, 26)) ** 2 + ((z - 12) / 17) ** 2
            image[brain & (ventricle < 1)] = 6
        if is_abnormal:
            inside = ellipse(x, y, blood[:2], (16 * scale, 13 * scale)) ** 2
            inside += ((z - blood[2]) / (15 * scale)) ** 2
            image[brain & (inside < 1)] = 68
        yield stored(ndimage.uniform_filter(image, 2) + next(grain), HU_OFFSET)


def abdomen_ct(rng: np.random.Generator, grid: Grid, *, is_abnormal: bool) -> Iterator[Pixels]:
    """Fat, muscle, liver, kidneys, spine; abnormal: a dark lesion in the liver."""
    x, y = grid.plane()
    lesion = (rng.uniform(-80, -60), rng.uniform(-25, 5), rng.uniform(-20, 20))
    grain = noise(rng, grid.size, 9.0)
    for z in grid.heights():
        image = np.full((grid.size, grid.size), -1000, np.float32)
        image[ellipse(x, y, (0, 0), (165, 115)) < 1] = -100
        image[ellipse(x, y, (0, 0), (145, 95)) < 1] = 45
        image[ellipse(x, y, (-65, -15), (65 - abs(z) / 4, 60)) < 1] = 62
        for wing in (-1, 1):
            kidney = ellipse(x, y, (wing * 60, 50), (22, 28)) ** 2 + ((z + 10) / 55) ** 2
            image[kidney < 1] = 34
        image[ellipse(x, y, (0, 62), (21, 18)) < 1] = 300
        away = ellipse(x, y, lesion[:2], (14, 14)) ** 2 + ((z - lesion[2]) / 14) ** 2
        if is_abnormal:
            image[away < 1] = 15
        yield stored(image + next(grain), HU_OFFSET)


def brain_mr(rng: np.random.Generator, grid: Grid, *, is_abnormal: bool) -> Iterator[Pixels]:
    """FLAIR-like: bright scalp, dark skull and CSF; abnormal: bright lesions in white matter."""
    x, y = grid.plane()
    lesions = _lesions(rng) if is_abnormal else []
    grain = noise(rng, grid.size, 12.0)
    for z in grid.heights():
        taper = np.sqrt(max(0.0, 1 - (max(z, 0.0) / 76) ** 2))
        depth = 76 * taper - ellipse(x, y, (0, 0), (76, 95)) * 76
        image = np.full((grid.size, grid.size), 10, np.float32)
        image[depth > 0] = 700
        image[depth > 5] = 20
        brain = depth > 13
        image[brain] = 320
        image[brain & (depth < 20)] = 400
        for wing in (-1, 1):
            ventricle = ellipse(x, y, (wing * 11, 0), (6, 26)) ** 2 + ((z - 12) / 17) ** 2
            image[brain & (ventricle < 1)] = 70
        for (across, down, up), radius in lesions:
            ball = ellipse(x, y, (across, down), (radius, radius)) ** 2 + ((z - up) / radius) ** 2
            image[brain & (ball < 1)] = 720
        yield stored(np.maximum(ndimage.uniform_filter(image, 2) + next(grain), 0))


def _lesions(rng: np.random.Generator) -> list[tuple[tuple[float, float, float], float]]:
    """Centre and radius of a few lesions beside the ventricles."""
    made = []
    for _ in range(int(rng.integers(3, 6))):
        side = rng.choice([-1.0, 1.0])
        centre = (side * rng.uniform(24, 38), rng.uniform(-40, 40), rng.uniform(-10, 25))
        made.append((centre, float(rng.uniform(5, 7.5))))
    return made


def knee_mr(rng: np.random.Generator, grid: Grid, *, is_abnormal: bool) -> Iterator[Pixels]:
    """Sagittal, proton density: femur, tibia, patella, cartilage; abnormal: fluid in the joint."""
    x, y = grid.plane()
    grain = noise(rng, grid.size, 14.0)
    for z in grid.heights():
        thin = 1 - (z / 60) ** 2
        image = np.full((grid.size, grid.size), 10, np.float32)
        image[(abs(x) < 60 * thin) & (abs(y) < 85)] = 330
        bones = (
            (ellipse(x, y, (0, -22), (30 * thin, 22)) < 1)
            | ((abs(x) < 17 * thin) & (y < -22))
            | ((abs(x) < 26 * thin) & (y > 8) & (y < 30))
            | ((abs(x) < 16 * thin) & (y >= 30))
            | (ellipse(x, y, (-44, -28), (9, 16)) < 1)
        )
        rim = ndimage.binary_dilation(bones, iterations=2) & ~bones
        image[bones], image[rim] = 560, 60
        if is_abnormal:
            image[~bones & ~rim & (ellipse(x, y, (-30, -48), (10, 18)) < 1)] = 950
        yield stored(np.maximum(image + next(grain), 0))


# metacarpals and phalanges as (x, y) of both ends and half width, mm; joints are 5 mm wide
FINGERS = ((-46.0, -18.0, 0.86), (-23.0, -8.0, 0.96), (0.0, 0.0, 1.0), (22.0, 6.0, 0.93))


def _hand_bones() -> list[tuple[Pair, Pair, float]]:
    bones = []
    for across, lean, long in FINGERS:
        top = across * 1.0
        for start, end, half in ((28, -28, 4.6), (-37, -66, 4.0), (-75, -94, 3.4)):
            tip = (top + lean * (20 - end) / 200, end * long)
            bones.append(((top + lean * (20 - start) / 200, start * long), tip, half))
    bones.append(((52.0, 30.0), (66.0, -4.0), 4.8))
    bones.append(((70.0, -14.0), (78.0, -36.0), 4.2))
    bones.append(((-12.0, 62.0), (-14.0, 112.0), 7.5))
    bones.append(((18.0, 60.0), (20.0, 112.0), 9.5))
    return bones


def hand_xray(rng: np.random.Generator, grid: Grid, *, is_abnormal: bool) -> Iterator[Pixels]:
    """Fingers, metacarpals and forearm; abnormal: a dark line of 1.5 mm through one metacarpal."""
    x, y = grid.plane()
    image = np.full((grid.size, grid.size), 250, np.float32)
    bones = _hand_bones()
    broken = int(rng.integers(0, len(FINGERS))) * 3 if is_abnormal else -1
    flesh = [_capsule(x, y, start, end) - half for start, end, half in bones]
    image[np.min(flesh, axis=0) < 8] = 1100
    image[(ellipse(x, y, (2, 10), (58, 46)) < 1)] = 1200
    for index, ((start, end, half), away) in enumerate(zip(bones, flesh, strict=True)):
        bone = away < 0
        if index == broken:
            bone &= ~_crack(x, y, (start, end), rng)
        image[bone] = 2500
        image[bone & (away > -1.2)] = 2900
        image[bone & (away < -half * 0.6)] = 2350
    grain = next(noise(rng, grid.size, 35.0))
    yield stored(ndimage.gaussian_filter(image, 0.35 / grid.spacing) + grain)


def _capsule(x: Floats, y: Floats, start: Pair, end: Pair) -> Floats:
    """Distance in mm from the line between two points."""
    across, down = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * across + (y - start[1]) * down) / (across**2 + down**2)
    along = np.clip(along, 0, 1)
    return np.hypot(x - start[0] - along * across, y - start[1] - along * down)


def _crack(
    x: Floats, y: Floats, bone: tuple[Pair, Pair], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """A straight line across the shaft, somewhat oblique."""
    (x0, y0), (x1, y1) = bone
    middle = rng.uniform(0.4, 0.6)
    angle = np.arctan2(y1 - y0, x1 - x0) + rng.uniform(-0.35, 0.35)
    along = (x - x0 - middle * (x1 - x0)) * np.cos(angle)
    along = along + (y - y0 - middle * (y1 - y0)) * np.sin(angle)
    return np.asarray(abs(along) < 0.75)


def chest_xray(rng: np.random.Generator, grid: Grid, *, is_abnormal: bool) -> Iterator[Pixels]:
    """Lungs with vessels, ribs, heart; abnormal: air without vessels beside one lung."""
    x, y = grid.plane()
    image = np.full((grid.size, grid.size), 200, np.float32)
    image[ellipse(x, y, (0, 30), (165, 190)) < 1] = 2300
    fine = ndimage.gaussian_filter(rng.normal(0, 1, image.shape), 2.2 / grid.spacing)
    vessels = (fine / fine.std() * 110).astype(np.float32)
    side = int(rng.choice([-1, 1]))
    for wing in (-1, 1):
        lung = ellipse(x, y, (wing * 72, -5), (56, 105)) < 1
        image[lung] = 1050
        tissue = lung
        if is_abnormal and wing == side:
            tissue = lung & (ellipse(x, y, (wing * 58, 20), (44, 88)) < 1)
            image[lung & ~tissue] = 640
            image[lung & ~tissue & ndimage.binary_dilation(tissue, iterations=2)] = 1300
        image[tissue] += vessels[tissue]
    for row in range(-5, 6):
        arch = y - row * 24 - (x / 60) ** 2 * 9
        image[(abs(arch) < 4) & (abs(x) > 20) & (abs(x) < 150)] += 130
    image[(abs(x) < 22) | (ellipse(x, y, (22, 52), (52, 46)) < 1)] = 2500
    image[y > 105 + abs(abs(x) - 70) / 5] = 2400
    image[ellipse(x, y, (0, 30), (165, 190)) >= 1] = 200
    yield stored(ndimage.gaussian_filter(image, 0.8) + next(noise(rng, grid.size, 12.0)))


def breast_mg(rng: np.random.Generator, grid: Grid, *, is_abnormal: bool) -> Iterator[Pixels]:
    """A left breast from the side; abnormal: a dense mass of 14 mm."""
    x, y = grid.plane()
    breast = ellipse(x, y, (-grid.field / 2, 0), (grid.field * 0.62, grid.field * 0.42)) < 1
    lumps = ndimage.gaussian_filter(rng.normal(0, 1, breast.shape), 5 / grid.spacing)
    image = np.where(breast, 1500 + lumps / lumps.std() * 180, 80).astype(np.float32)
    if is_abnormal:
        centre = (-grid.field / 4, float(rng.uniform(-25, 25)))
        image[ellipse(x, y, centre, (7, 7)) < 1] = 2900
    yield stored(ndimage.gaussian_filter(image, 1.0) + next(noise(rng, grid.size, 15.0)))


def abdomen_us(rng: np.random.Generator, grid: Grid, *, is_abnormal: bool) -> Iterator[Pixels]:
    """A fan of speckle with a dark gallbladder, 8 stored bits; abnormal: a bright stone in it."""
    x, y = grid.plane()
    depth = np.hypot(x, y + grid.field / 2)
    fan = (abs(x) < (y + grid.field / 2) * 0.75) & (depth < grid.field * 0.96)
    for _ in range(grid.slices):
        speckle = ndimage.gaussian_filter(rng.rayleigh(1, fan.shape), 1.2)
        image = np.where(fan, 70 * speckle * (1.3 - depth / grid.field), 0)
        image[ellipse(x, y, (10, 5), (16, 26)) < 1] *= 0.12
        if is_abnormal:
            image[ellipse(x, y, (12, 20), (5, 4)) < 1] = 230
        yield np.clip(image, 0, 255).astype(np.uint16)
