"""Whose instance it is, and what a sender is told while the hub cannot do its part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError, connection

from hub.dicom import scp
from hub.models import Node
from routing.management.commands.listen_dicom import take
from routing.models import Instance, SetAside, Study
from routing.peers import Peers
from routing.places import spool
from routing.steps.receive import Receiver
from tests.builders.studies import head_ct, received
from tests.routing.conftest import Place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(place: Place) -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def came(**changes: object) -> Any:
    (one,) = head_ct(slices=1)
    return replace(received(one), **changes)


@pytest.mark.parametrize("first", ["own", "other"])
def test_of_two_nodes_of_one_name_the_one_with_this_address_has_it(
    place: Place, first: str
) -> None:
    """Whichever stands first: a study must not end at the hospital that set no address."""
    hosts = {"own": "127.0.0.1", "other": ""}
    sites = {"own": place.rows.site, "other": place.rows.other_pacs.site}
    for name in sorted(sites, key=lambda one: one != first):
        Node.objects.create(
            code=name, site=sites[name], protocol="dicom", ae_title="CT1", host=hosts[name],
            roles=["source"],
        )  # fmt: skip
    peers = Peers()
    here, elsewhere = peers.node_for("CT1", "127.0.0.1"), peers.node_for("CT1", "127.0.0.9")
    assert here is not None
    assert elsewhere is not None
    assert (here.code, elsewhere.code) == ("own", "other")


def test_while_the_database_is_away_a_sender_is_told_to_come_again(
    place: Place, receiver: Receiver
) -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("the database is away")

    with connection.execute_wrapper(away):
        assert take(Peers(), receiver, came()) == scp.OUT_OF_RESOURCES
        known = Peers()
    assert known.node_for("DRAMMENPACS", "127.0.0.1") is not None
    with connection.execute_wrapper(away):
        # also for what would be set aside: nobody could look at it
        assert take(known, receiver, came(dataset=b"no data set")) == scp.OUT_OF_RESOURCES
    assert SetAside.objects.count() == 0
    assert take(known, receiver, came()) == scp.SUCCESS


def test_who_was_taken_out_of_the_set_up_while_connected_is_told_so(
    place: Place, receiver: Receiver
) -> None:
    gone = came(calling_ae_title="GONE")
    assert take(Peers(), receiver, gone) == scp.NOT_AUTHORISED
    assert Study.objects.count() == 0


def test_a_disk_that_cannot_be_written_is_no_fault_of_what_was_sent(
    place: Place, receiver: Receiver
) -> None:
    instances = spool().path("instances/any").parent
    instances.mkdir(exist_ok=True)
    instances.rmdir()
    instances.write_text("a file where the folder should be")
    try:
        assert take(Peers(), receiver, came()) == scp.OUT_OF_RESOURCES
    finally:
        instances.unlink()
    assert Instance.objects.count() == 0
    assert take(Peers(), receiver, came()) == scp.SUCCESS


def test_an_instance_cut_off_in_its_pixels_is_set_aside_and_no_algorithm_sees_it(
    place: Place, receiver: Receiver
) -> None:
    whole = came()
    cut = replace(whole, dataset=whole.dataset[:-100])
    assert take(Peers(), receiver, cut) == scp.CANNOT_UNDERSTAND
    (row,) = SetAside.objects.all()
    assert (row.field, Study.objects.count()) == ("pixel_data", 0)
    assert spool().path(row.key).read_bytes() == cut.dataset
    assert take(Peers(), receiver, whole) == scp.SUCCESS
