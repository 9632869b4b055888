"""The rules of a site are made ready once, and never asked as they were before a change."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from routing.compiled import Known
from routing.models import Rule
from routing.rulebook import Rulebook, rules_at
from tests.builders.parties import FirstSite, first_site

CT, MR = ({"series.modality": {"equals": value}} for value in ("CT", "MR"))


@pytest.fixture
def here(transactional_db: None) -> FirstSite:
    rows = first_site()
    Rule.objects.all().delete()
    return rows


def add(here: FirstSite, code: str, when: Any) -> Rule:
    return Rule.objects.create(code=code, site=here.site, algorithm=here.algorithm, when=when)


def wants(book: Rulebook, modality: str) -> list[str]:
    known = Known([{"series.modality": [modality]}])
    return [one.code for rules in book.by_algorithm.values() for one in rules if one.holds(known)]


def test_rules_that_did_not_change_are_made_ready_once(here: FirstSite) -> None:
    add(here, "ct", CT)
    assert rules_at(here.site.pk) is rules_at(here.site.pk)


def test_a_rule_that_was_changed_added_or_taken_away_is_seen_at_once(here: FirstSite) -> None:
    site = here.site.pk
    rule = add(here, "ct", CT)
    assert wants(rules_at(site), "CT") == ["ct"]
    # By the shortest way there is, which no save() and no signal sees.
    Rule.objects.filter(pk=rule.pk).update(when=MR)
    assert wants(rules_at(site), "CT") == []
    assert wants(rules_at(site), "MR") == ["ct"]
    add(here, "also-mr", MR)
    assert wants(rules_at(site), "MR") == ["ct", "also-mr"]
    rule.delete()
    assert wants(rules_at(site), "MR") == ["also-mr"]


def test_a_change_that_is_taken_back_is_taken_back(here: FirstSite) -> None:
    site = here.site.pk
    add(here, "ct", CT)
    transaction.set_autocommit(False)
    try:
        Rule.objects.update(when=MR)
        assert wants(rules_at(site), "MR") == ["ct"]
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)
    assert wants(rules_at(site), "MR") == []
    assert wants(rules_at(site), "CT") == ["ct"]


def test_rules_of_another_site_are_not_asked(here: FirstSite) -> None:
    Rule.objects.create(code="ct", site=here.other_site, algorithm=here.algorithm, when=CT)
    assert rules_at(here.site.pk).by_algorithm == {}
    assert wants(rules_at(here.other_site.pk), "CT") == ["ct"]


def test_what_a_rule_says_comes_back_to_the_letter(here: FirstSite) -> None:
    odd = {"order.reason": {"equals": "a\x1fb\x1ec|'\"\\ Ødegård 😀"}}
    rule = add(here, "odd", odd)
    ((ready,),) = rules_at(here.site.pk).by_algorithm.values()
    assert ready.when == Rule.objects.get(pk=rule.pk).when == odd
    assert rules_at(here.site.pk).reads_the_order
