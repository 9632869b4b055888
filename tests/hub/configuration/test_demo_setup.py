"""The demonstration: nine trusts, their sites, and what each may use."""

from pathlib import Path

import pytest
from django.utils import timezone

from contracts.entitlement import Granted, entitle
from contracts.models import CallOff
from hub.models import Node, Organisation, Site, User
from marketplace.models import AlgorithmVersion, Deployment
from tests.hub.configuration.setups import applied

SETUP = Path(__file__).parents[3] / "demo" / "setup.yaml"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def outcome():
    return applied(str(SETUP))


def test_the_demonstration_is_applied_without_a_doubt(outcome):
    assert outcome.warnings == ()
    assert applied(str(SETUP)).lines == []
    assert Organisation.objects.filter(kind="hospital_trust").count() == 9
    assert CallOff.objects.values("framework").distinct().count() == 1


def test_every_site_has_its_pacs_its_ris_and_its_radiologist():
    for site in Site.objects.all():
        assert {node.protocol for node in site.nodes.all()} == {"dicom", "hl7"}
        radiologist = User.objects.get(username=f"radiologist.{site.code}")
        assert list(Site.objects.visible_to(radiologist)) == [site]
    titles = set(Node.objects.filter(protocol="dicom").values_list("ae_title", flat=True))
    assert len(titles) == Site.objects.count()


def test_only_the_chest_algorithm_in_the_north_is_covered_by_no_contract():
    refusals = []
    for site in Site.objects.all():
        for version in AlgorithmVersion.objects.all():
            answer = entitle(site=site, version=version, at=timezone.now())
            if not isinstance(answer, Granted):
                refusals.append((site.organisation.code, version.algorithm.code, answer.clause))
    assert refusals == [("unn", "chest-xray", "line")] * 2


def test_one_deployment_waits_for_acceptance_and_one_is_in_shadow():
    assert Deployment.objects.filter(write_back="after_acceptance").count() == 1
    assert Deployment.objects.filter(state="shadow").count() == 1
    assert Deployment.objects.filter(state="clinical").count() == 4 * Site.objects.count() - 1
