"""What history hangs on may be changed only where the history stays true."""

from datetime import date, timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from contracts import metering
from contracts.models import CallOff, CallOffLine, FrameworkAgreement, PriceBookEntry
from hub.models import Node, Site
from marketplace.models import AlgorithmVersion
from routing.models import Study
from tests.hub.configuration.setups import SETUP, applied, refused, write

pytestmark = pytest.mark.django_db
OTHER_FRAMEWORK = SETUP[SETUP.index("  - code: 2020-1968") : SETUP.index("call_offs:")].replace(
    "code: 2020-1968", "code: F2"
)
PRICE_BOOK = SETUP[SETUP.index("    price_book:") : SETUP.index("call_offs:")]


@pytest.fixture
def setup(tmp_path):
    applied(write(tmp_path))
    return tmp_path


def an_examination() -> None:
    metering.record(
        study_ref_of=("drammen", "2.25.1"), line=CallOffLine.objects.get(),
        version=AlgorithmVersion.objects.get(), source="hub", event_id="1", at=timezone.now(),
        details={},
    )  # fmt: skip


def a_study() -> None:
    now = timezone.now()
    Study.objects.create(
        site=Site.objects.get(code="drammen"), study_instance_uid="2.25.1",
        source=Node.objects.get(code="drammen-pacs"), first_instance_at=now, last_instance_at=now,
        read_by=now, waiting_since=now,
    )  # fmt: skip


CHANGES_OF_AGREEMENTS = [
    ("    organisation: vv\n    valid", "    organisation: sp\n    valid", "organisation"),
    ("    framework: 2020-1968\n", "    framework: F2\n", "framework"),
    ("currency: NOK", "currency: DKK", "currency"),
    ("{from: 2026-01-01, to", "{from: 2026-02-01, to", "valid.from"),
    (PRICE_BOOK, "", "price_book[bleed]"),
]


@pytest.mark.parametrize(("old", "new", "field"), CHANGES_OF_AGREEMENTS)
def test_a_counted_examination_keeps_its_agreement_and_its_price(setup, old, new, field):
    text = SETUP.replace("call_offs:", f"{OTHER_FRAMEWORK}call_offs:").replace(old, new, 1)
    applied(write(setup, text), is_dry_run=True)
    an_examination()

    (problem,) = refused(write(setup, text))

    assert problem.field == field
    assert "1 examination counted" in problem.text
    assert CallOff.objects.get().framework.code == "2020-1968"
    assert FrameworkAgreement.objects.get().price_book.exists()


def test_a_used_agreement_may_get_a_new_end_and_a_new_value(setup):
    an_examination()
    text = SETUP.replace("to: 2029-12-31", "to: 2029-11-30")
    assert len(applied(write(setup, text.replace("40000000", "41000000"))).lines) == 2


def test_a_price_in_use_is_never_changed_and_gets_a_version_of_its_own(setup):
    an_examination()

    (problem,) = refused(write(setup, SETUP.replace('"24.00"', '"23.00"')))

    assert problem.field == "price_book[bleed]"
    assert problem.text == (
        "cannot be changed: 1 examination counted at this price; "
        "add an entry with valid_from for a new one"
    )
    tomorrow = (timezone.localdate() + timedelta(days=2)).isoformat()
    (problem,) = refused(write(setup, with_version("2026-01-02")))
    assert problem.field == "price_book[bleed/2026-01-02].valid_from"
    assert len(applied(write(setup, with_version(tomorrow))).lines) == 1
    assert len(applied(write(setup, with_version(tomorrow, price="12.00"))).lines) == 1
    assert len(applied(write(setup)).lines) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda price: PriceBookEntry.objects.update(terms={}),
        lambda price: PriceBookEntry.objects.update(valid_from=timezone.localdate()),
        lambda price: PriceBookEntry.objects.create(
            framework=price.framework, algorithm=price.algorithm, model="flat",
            valid_from=date(2026, 1, 2),
        ),
    ],
)
def test_the_database_refuses_to_change_a_price_in_use(setup, change):
    price = PriceBookEntry.objects.get()
    with transaction.atomic():
        change(price)
        transaction.set_rollback(True)
    an_examination()

    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        change(price)

    assert PriceBookEntry.objects.get().terms == price.terms


def with_version(day: str, *, price: str = "11.00") -> str:
    entry = f'      - {{algorithm: bleed, valid_from: {day}, model: flat, unit_price: "{price}"}}\n'
    return SETUP.replace("call_offs:", f"{entry}call_offs:", 1)


def test_a_site_with_studies_never_goes_to_another_trust(setup):
    text = SETUP.replace("code: drammen, organisation: vv", "code: drammen, organisation: sp")
    applied(write(setup, text), is_dry_run=True)
    a_study()

    (problem,) = refused(write(setup, text))

    assert (problem.section, problem.code, problem.field) == ("sites", "drammen", "organisation")
    assert problem.text == (
        "cannot be changed: it has studies (1) and orders (0) of vv; give sp a site of its own"
    )


def test_a_peer_with_studies_never_goes_to_another_site(setup):
    site = "  - {code: barum, organisation: vv, name: Bærum sykehus}\n"
    text = SETUP.replace("members:", f"{site}members:", 1)
    text = text.replace("drammen-pacs\n    site: drammen", "drammen-pacs\n    site: barum")
    applied(write(setup, text), is_dry_run=True)
    a_study()

    (problem,) = refused(write(setup, text))

    assert (problem.code, problem.field) == ("drammen-pacs", "site")
    assert "studies (1) and deliveries (0) of drammen" in problem.text
