"""The soak sees what it is there to see: a leak, and no leak in mere noise."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.faults.soak import Sample, faults_of


def samples(**slopes: float) -> list[Sample]:
    """Two hours with noise, and with what grows by ``slopes`` an hour after a warm-up."""
    chance, made = random.Random(1), []
    for number in range(240):
        hours = number / 120
        warm = min(number, 40) * 2
        flat = Sample(
            seconds=number * 30, studies=number * 10, memory_mib=400 + warm + chance.gauss(0, 5),
            handles=200 + chance.gauss(0, 3), threads=60 + chance.gauss(0, 2),
            database_kib=1000 + number * 10 * 40, latency=0.8 + chance.gauss(0, 0.1),
        )  # fmt: skip
        grown = {name: getattr(flat, name) + slope * hours for name, slope in slopes.items()}
        made.append(replace(flat, **grown))
    return made


def test_what_stays_flat_after_its_warm_up_passes() -> None:
    assert faults_of(samples()) == []


@pytest.mark.parametrize(
    ("name", "slope"),
    [("memory_mib", 60.0), ("handles", 30.0), ("threads", 10.0), ("latency", 1.0)],
)
def test_what_grows_without_end_is_named(name: str, slope: float) -> None:
    (fault,) = faults_of(samples(**{name: slope}))
    assert fault.startswith(f"{name} grew by")


def test_a_database_that_grows_faster_than_its_studies_is_named() -> None:
    grown = [replace(one, database_kib=one.studies**2 / 10) for one in samples()]
    (fault,) = faults_of(grown)
    assert "to the database" in fault
