"""Studies' whole way with their instances in an object store, which goes away meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import yaml

from tests.fakes.modality import program
from tests.fakes.s3 import S3, s3_server
from tests.fakes.strait import Strait, strait
from tests.fakes.waiting import until
from tests.faults.trusts import Trusts, two_trusts
from tests.journeys.stored import assert_at_rest, held

pytestmark = pytest.mark.peer
DAYS = {"studies": 30, "unread": 30, "unresolved": 30, "messages": 30}
WAITS = "SELECT count(*) FROM routing_workitem WHERE waits_for = 'store'"
FORGET = """
from routing import forgetting
from tests.builders.ageing import age
age(40)
print("gone:", forgetting.forget())
"""


@pytest.fixture(scope="module")
def store() -> Iterator[S3]:
    with s3_server() as started:
        yield started


@pytest.fixture(scope="module")
def way(store: S3) -> Iterator[Strait]:
    with strait(store.port) as made:
        yield made


@pytest.fixture(scope="module")
def trusts(
    store: S3, way: Strait, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trusts]:
    program("storescu")
    settings = {"HUB_STORAGE_URL": store.url_by(way.port), "HUB_CACHE_BYTES": "1"}
    folder = tmp_path_factory.mktemp("stored")
    with two_trusts(folder, change=forgetful, **settings) as made:
        yield made


def forgetful(setup: str) -> str:
    """The set-up file with periods after which studies go."""
    document = yaml.safe_load(setup)
    for site in document["sites"]:
        site["retention"] = dict(DAYS)
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def test_studies_go_their_whole_way_and_come_to_rest_in_the_store(
    trusts: Trusts, store: S3
) -> None:
    studies = trusts.morning(2)
    trusts.bring(studies)
    trusts.assert_once(studies)
    assert_at_rest(trusts, store, trusts.sent)
    assert "not in the store yet: 0 files" in trusts.hub.manage("storage")


def test_a_store_that_is_away_stops_no_receiving_and_has_all_when_it_is_back(
    trusts: Trusts, store: S3, way: Strait
) -> None:
    way.close()
    studies, began = trusts.morning(2), time.monotonic()
    trusts.bring(studies)
    took = time.monotonic() - began
    assert took < 20, "whoever sends does not wait for the store"
    until(lambda: trusts.hub.rows(WAITS) != [(0,)], "a result waits for the store")
    assert not trusts.reports(studies[0])
    way.open()
    trusts.assert_once(studies, seconds=120)
    assert_at_rest(trusts, store, trusts.sent)


def test_what_has_been_kept_for_long_enough_is_gone_from_the_store(
    trusts: Trusts, store: S3
) -> None:
    assert len(held(store)) > 0
    said = trusts.hub.manage("shell", "-c", FORGET)
    assert f"gone: {len(trusts.sent)}" in said, said
    assert held(store) == set()
    for table in ("study", "instance", "result", "kept", "discarded"):
        assert trusts.hub.rows(f"SELECT count(*) FROM routing_{table}") == [(0,)], table
