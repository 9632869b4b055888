"""An order number counts only with who gave it, where both sides say who that is."""

from __future__ import annotations

import pytest

from routing.models import Order, Priority
from tests.builders import parties
from tests.builders.orders import order_message
from tests.builders.parties import FirstSite
from tests.routing.test_orders import tell

pytestmark = pytest.mark.django_db


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("P1^HIS", "P1^OTHER"),
        ("P1^HIS^1.2.3^ISO", "P1^HIS^1.2.4^ISO"),
        ("P1^HIS^h.example^DNS", "P1^HIS^h.example^HCD"),
    ],
)
@pytest.mark.parametrize("is_same_key", [True, False])
def test_the_same_number_of_two_issuers_is_two_orders(
    places: FirstSite, first: str, second: str, is_same_key: bool
) -> None:
    numbers = {"filler": "", "accession": "A1"} if is_same_key else {"filler": "F1"}
    (one,) = tell(places.ris, order_message(placer=first, priority="R", **numbers))
    (other,) = tell(places.ris, order_message(placer=second, priority="S", **numbers))
    assert one.pk != other.pk
    (again_one,) = tell(places.ris, order_message(placer=first, priority="A", **numbers))
    (again_other,) = tell(places.ris, order_message(placer=second, control="CA", **numbers))
    assert (again_one.pk, again_other.pk) == (one.pk, other.pk)
    assert [order.status for order in Order.objects.order_by("pk")] == ["ordered", "cancelled"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("P1^HIS", "P1"),
        ("P1", "P1^HIS"),
        ("P1^HIS", "P1^^1.2.3^ISO"),
        ("P1^HIS^1.2.3^ISO", "P1^NEWNAME^1.2.3^ISO"),
    ],
)
def test_an_issuer_that_one_side_leaves_out_keeps_no_order_apart(
    places: FirstSite, first: str, second: str
) -> None:
    (one,) = tell(places.ris, order_message(placer=first))
    (same,) = tell(places.ris, order_message(placer=second, priority="S"))
    assert one.pk == same.pk
    assert Order.objects.get().priority == Priority.STAT
