"""A PACS and a RIS that come and go all the time, in the middle of whatever they are told."""

from __future__ import annotations

import time

import pytest

from demo.stand_ins import Pacs
from tests.fakes.obstinate import ObstinateRis
from tests.faults.trusts import Trusts, meanwhile

pytestmark = pytest.mark.long


def flap(trusts: Trusts, seconds: float) -> None:
    """Hang up on everybody, be away, and be there again with all that was kept."""
    for site, pacs in trusts.pacs.items():
        pacs.close()
        trusts.rises[site].close()
    time.sleep(seconds)
    for site, pacs in list(trusts.pacs.items()):
        trusts.pacs[site] = Pacs(port=pacs.port, received=pacs.received)
        ris = trusts.rises[site]
        trusts.rises[site] = ObstinateRis(port=ris.port, received=ris.received)


def test_destinations_that_come_and_go_get_everything_under_one_name(trusts: Trusts) -> None:
    studies = trusts.morning(10)

    def again() -> float:
        flap(trusts, 0.7)
        return 1.5

    with meanwhile(again):
        trusts.bring(studies)
        time.sleep(5)
    trusts.assert_once(studies, seconds=120)
