"""Whose instance it is, and what a sender is told while the hub cannot do its part."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils.translation import override

from hub.dicom import headers, scp
from hub.models import Node
from hub.phrases import render
from routing import unreadable
from routing.models import Instance, SetAside, Study
from routing.peers import Peers
from routing.places import spool
from routing.receiving import take
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


def test_what_cannot_be_read_says_field_and_reason_in_the_readers_language(
    place: Place, receiver: Receiver
) -> None:
    assert take(Peers(), receiver, came(dataset=b"")) == scp.CANNOT_UNDERSTAND
    long = received(head_ct(slices=1, StudyInstanceUID="1." + "2" * 63)[0])
    assert take(Peers(), receiver, long) == scp.CANNOT_UNDERSTAND
    rows = SetAside.objects.order_by("pk")
    assert [render(row.reason) for row in rows] == [
        "The data set cannot be read: it is too short to be a data set",
        "The data set cannot be read: study_instance_uid is longer than 64 characters",
    ]
    with override("nb"):
        assert render(rows[1].reason).endswith("study_instance_uid er lengre enn 64 tegn")


def test_what_was_set_aside_can_be_looked_into_later(place: Place, receiver: Receiver) -> None:
    cut = came()
    cut = replace(cut, dataset=cut.dataset[:-100])
    take(Peers(), receiver, cut)
    note = json.loads(spool().path(SetAside.objects.get().key).with_suffix(".json").read_text())
    assert note["reason"] == "pixel_data ends in the middle of the value"
    assert note["details"] == {
        "sender": "DRAMMENPACS@127.0.0.1",
        "transfer_syntax_uid": cut.transfer_syntax_uid,
        "sop_class_uid": cut.sop_class_uid,
        "sop_instance_uid": cut.sop_instance_uid,
    }


def test_every_reason_against_a_data_set_is_translated() -> None:
    folder = Path(headers.__file__).parent
    sources = [folder / name for name in ("headers.py", "header_reader.py", "streams.py")]
    said = re.compile(r'(?:NotADataSet|UnreadableDataset)\(\s*f?"([^"]+)"')
    found = {reason for path in sources for reason in said.findall(path.read_text())}
    found = {
        reason.format(LONGEST_TEXT=headers.LONGEST_TEXT, _LONGEST_UID=64) for reason in found
    }
    assert len(found) > 8
    assert found <= unreadable.REASONS
