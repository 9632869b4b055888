"""The section ``gpus`` of the set-up file: applied, exported, and refused with the field named."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing.models import GpuPool, GpuShare
from tests.hub.configuration.setups import SETUP, applied, refused, write

pytestmark = pytest.mark.django_db

GPUS = """
gpus:
  - code: main
    size: 4
    stat_reserve: 1
    performers: [container, process]
    shares:
      - {site: SITE, weight: 3}
  - {code: cluster, size: from_cluster, performers: [kubernetes]}
"""


def with_gpus(text: str = GPUS) -> str:
    return SETUP + text.replace("SITE", "drammen")


def test_pools_become_rows_and_come_out_as_they_went_in(tmp_path: Path) -> None:
    path = write(tmp_path, with_gpus())
    applied(path)
    main, cluster = GpuPool.objects.order_by("-code")
    assert (main.size, main.stat_reserve) == (4, 1)
    assert main.performers == ["process", "container"]
    assert (cluster.size, cluster.gpus, cluster.stat_reserve) == (None, None, 0)
    assert GpuShare.objects.get().weight == 3
    assert applied(path).changes == ()


def test_what_no_pool_can_be_is_refused_with_its_field(tmp_path: Path) -> None:
    def said(text: str) -> list[tuple[str, str]]:
        problems = refused(write(tmp_path, with_gpus(text)))
        return [(one.field, one.text) for one in problems]

    [(path, text)] = said(GPUS.replace("size: 4", "size: many"))
    assert path == "size"
    assert text.startswith("expected a whole number from 1 to 100000, or from_cluster, found")
    [(path, text)] = said(GPUS.replace("stat_reserve: 1", "stat_reserve: 4"))
    assert path == "stat_reserve"
    assert text.startswith("expected fewer than the 4 GPUs of the pool, found 4")
    [(path, text)] = said(GPUS.replace("[kubernetes]", "[container]"))
    assert path == "performers"
    assert text == "expected ways of running that no other pool has, found container as in cluster"
    [(path, _text)] = said(GPUS.replace("weight: 3", "weight: 0"))
    assert path.startswith("shares")
    [(path, text)] = said(GPUS.replace("{site: SITE,", "{site: nowhere,"))
    assert "expected a known site, found nowhere" in text
    assert GpuPool.objects.count() == 0
