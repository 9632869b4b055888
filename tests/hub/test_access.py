"""Nobody sees a row of a site at which they hold no role: two trusts that must never meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from hub import audit
from hub.access import (
    CONTRACT_ROLES,
    SiteScopedQuerySet,
    holds_role,
    holds_role_for,
    organisation_clause,
)
from hub.models import AuditEvent, Node, Organisation, Site
from marketplace.models import Deployment
from routing.models import Arrived, Order, PatientMerge, SetAside, Study
from tests.builders.parties import FirstSite, deployment_of, first_site, member, site

pytestmark = pytest.mark.django_db
MODELS: tuple[Any, ...] = (
    AuditEvent, Arrived, Deployment, Node, Order, PatientMerge, SetAside, Site, Study,
)  # fmt: skip
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def a_study(at: Site) -> Study:
    now = timezone.now()
    return Study.objects.create(
        site=at,
        study_instance_uid="1.2.840.1",
        patient_id="12057900499",
        first_instance_at=now,
        last_instance_at=now,
        read_by=now,
        waiting_since=now,
    )


def an_arrival(study: Study, *, serial: int) -> Arrived:
    """An instance of the study, from a node of its site, that is not yet part of it."""
    sender = study.site.nodes.first()
    return Arrived.objects.create(
        site=study.site,
        study=study,
        node=sender,
        sop_instance_uid=f"1.2.840.1.{serial}",
        key="a",
        digest="0" * 64,
        size=1,
        sender="MODALITY",
        header="{}",
        received_at=timezone.now(),
    )


@pytest.fixture
def here() -> FirstSite:
    """Both trusts with a row of every kind; the same Study Instance UID at both."""
    made = first_site()
    deployment_of(made.version, site=made.other_site)
    for hospital in (made.site, made.other_site):
        an_arrival(a_study(hospital), serial=hospital.pk)
        Order.objects.create(site=hospital, key="accession-1", accession_number="accession-1")
        SetAside.objects.create(site=hospital, at=timezone.now(), protocol="dicom", key="a")
        PatientMerge.objects.create(
            site=hospital, prior_id="1", surviving_id="2", merged_at=timezone.now()
        )
        audit.record("study_seen", actor="somebody", site=hospital)
    return made


def sites_seen(model: Any, user: Any, **roles: Any) -> set[str]:
    rows: SiteScopedQuerySet[Any] = model.objects.all()
    seen = rows.visible_to(user, **roles)
    return {row.code if model is Site else row.site.code for row in seen}


def test_every_scoped_model_is_tried_here() -> None:
    scoped = {
        model for model in apps.get_models() if isinstance(model.objects.all(), SiteScopedQuerySet)
    }
    assert scoped == set(MODELS)


@every_model
def test_a_radiologist_sees_the_own_site_only(here: FirstSite, model: Any) -> None:
    assert sites_seen(model, here.radiologist) == {"drammen"}
    assert sites_seen(model, here.other_radiologist) == {"nordbyhagen"}


@every_model
def test_a_role_for_an_organisation_reaches_all_of_its_sites_and_no_other(
    here: FirstSite, model: Any
) -> None:
    a_study(second := site("baerum", of=here.organisation, name="Bærum sykehus"))
    chief = member("chief", role="radiologist", organisation=here.organisation)
    reached = {"drammen", second.code} if model in (Site, Study) else {"drammen"}

    assert sites_seen(model, chief) == reached


@every_model
def test_a_role_everywhere_sees_every_site(here: FirstSite, model: Any) -> None:
    assert sites_seen(model, here.administrator) == {"drammen", "nordbyhagen"}


@every_model
def test_roles_at_two_sites_add_up(here: FirstSite, model: Any) -> None:
    both = member("substitute", role="radiologist", site=here.site)
    member("substitute", role="radiologist", site=here.other_site)

    assert sites_seen(model, both) == {"drammen", "nordbyhagen"}


@every_model
def test_a_procurement_officer_sees_no_patient_rows(here: FirstSite, model: Any) -> None:
    assert sites_seen(model, here.officer) == set()
    assert sites_seen(model, here.officer, roles=CONTRACT_ROLES) == {"drammen"}


@every_model
@pytest.mark.parametrize(
    "stranger",
    [
        lambda: AnonymousUser(),
        lambda: None,
        lambda: _inactive(),
        lambda: _without_membership(),
    ],
    ids=["anonymous", "nobody", "inactive", "no role"],
)
def test_a_stranger_sees_nothing(here: FirstSite, model: Any, stranger: Callable[[], Any]) -> None:
    assert sites_seen(model, stranger()) == set()


def test_being_superuser_of_the_software_opens_no_patient_row(here: FirstSite) -> None:
    user = _without_membership()
    user.is_superuser = user.is_staff = True
    user.save()

    assert not Study.objects.visible_to(user).exists()


def test_a_role_that_is_taken_away_closes_the_site_at_once(here: FirstSite) -> None:
    here.radiologist.memberships.all().delete()

    assert not Study.objects.visible_to(here.radiologist).exists()


def test_an_event_of_no_site_is_seen_only_by_those_with_a_role_everywhere(here: FirstSite) -> None:
    event = audit.record("call_off_moved", actor="officer", subject="CO-0001")

    assert event not in AuditEvent.objects.visible_to(here.radiologist)
    assert event in AuditEvent.objects.visible_to(here.administrator)


def test_a_role_is_held_at_its_own_site_only(here: FirstSite) -> None:
    radiologist = ("radiologist",)

    assert holds_role(here.radiologist, roles=radiologist)
    assert holds_role(here.radiologist, roles=radiologist, site=here.site)
    assert not holds_role(here.radiologist, roles=radiologist, site=here.other_site)
    assert not holds_role(here.radiologist, roles=("administrator",), site=here.site)
    assert holds_role(here.administrator, roles=("administrator",), site=here.other_site)
    assert holds_role(here.officer, roles=CONTRACT_ROLES, site=here.site)
    assert not holds_role(here.officer, roles=CONTRACT_ROLES, site=here.other_site)
    assert not holds_role(AnonymousUser(), roles=radiologist)
    assert not holds_role(_inactive(), roles=radiologist)


def test_contracts_are_seen_by_who_has_a_role_for_the_whole_organisation(here: FirstSite) -> None:
    at_site = member("site-officer", role="procurement_officer", site=here.site)

    def seen(user: Any) -> set[str]:
        clause = organisation_clause(user, path="", roles=CONTRACT_ROLES)
        rows = Organisation.objects.filter(clause).values_list("code", flat=True)
        return set(rows) & {"vestre-viken", "ahus"}

    assert seen(here.officer) == {"vestre-viken"}
    assert seen(here.administrator) == {"vestre-viken", "ahus"}
    for nobody in (at_site, here.radiologist, AnonymousUser(), None, _inactive()):
        assert seen(nobody) == set()
    officer = ("procurement_officer",)
    assert holds_role_for(here.officer, here.organisation, roles=officer)
    assert not holds_role_for(here.officer, here.other_organisation, roles=officer)
    assert not holds_role_for(at_site, here.organisation, roles=officer)
    assert not holds_role_for(here.administrator, here.organisation, roles=officer)


def _inactive() -> Any:
    user = member("left", role="radiologist")
    user.is_active = False
    user.save()
    return user


def _without_membership() -> Any:
    user = member("newcomer", role="radiologist")
    user.memberships.all().delete()
    return user
