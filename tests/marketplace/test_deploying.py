"""shadow, validation, clinical: only where the gates stand, and two different people signed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from hub.models import AuditEvent, User
from marketplace import clearing, deploying, gates
from marketplace.clearing import Cleared
from marketplace.deciding import Decision, DecisionRefused, decide
from marketplace.deploying import MoveNotAllowed
from marketplace.gates import digest_of, facts_for
from marketplace.models import Deployment, Gate
from tests.builders import parties
from tests.builders.parties import FirstSite, client_of

pytestmark = pytest.mark.django_db
Kind = Gate.Kind
VALIDATED: dict[str, Any] = {
    "true_positive": 305, "false_negative": 10, "true_negative": 720, "false_positive": 15,
    "expected_sensitivity": 0.92, "margin": 0.03, "prevalence": 0.3, "least_sensitivity": 0.9,
    "least_specificity": 0.95,
}  # fmt: skip
DETAILS: dict[str, dict[str, Any]] = {
    Kind.MINI_HTA: {"decision": "introduce"},
    Kind.LOCAL_VALIDATION: VALIDATED,
    Kind.MONITORING_PLAN: {
        "metrics": [
            {"metric": "failure_rate", "threshold": 0.02, "window_days": 30, "least": 100,
             "action": "review"}
        ]
    },
}  # fmt: skip


@pytest.fixture
def here() -> FirstSite:
    found = parties.first_site()
    Deployment.objects.update(state="shadow")
    return found


@pytest.fixture
def deployment(here: FirstSite) -> Deployment:
    return Deployment.objects.get(pk=here.deployment.pk)


def pass_gate(deployment: Deployment, kind: str, by: User, **details: Any) -> Gate:
    decision = Decision(
        is_passed=True, evidence="case 26/1234", details=DETAILS.get(kind, {}) | details
    )
    return decide(deployment, Kind(kind), decision, by=by)


def pass_all(deployment: Deployment, by: User) -> None:
    for kind in Kind:
        if kind != Kind.CALL_OFF_LINE:
            pass_gate(deployment, kind, by)


def test_two_people_take_it_to_clinical_use_once_all_gates_stand(
    here: FirstSite, deployment: Deployment
) -> None:
    pass_all(deployment, here.officer)
    for state in ("validation", "clinical"):
        assert deploying.sign(deployment, to=state, by=here.officer) is None
        move = deploying.sign(deployment, to=state, by=here.radiologist)
        assert move is not None
        assert move.by == "officer + radiologist.drammen"
    deployment.refresh_from_db()
    assert deployment.state == "clinical"
    assert [one.became for one in deployment.moves.all()] == ["validation", "clinical"]
    assert AuditEvent.objects.filter(action="deployment.signed").count() == 4


def test_the_same_person_does_not_sign_twice(here: FirstSite, deployment: Deployment) -> None:
    pass_all(deployment, here.officer)
    deploying.sign(deployment, to="validation", by=here.officer)
    with pytest.raises(MoveNotAllowed, match="a second person must sign too"):
        deploying.sign(deployment, to="validation", by=here.officer)
    deployment.refresh_from_db()
    assert deployment.state == "shadow"


def test_a_gate_that_changed_between_two_signatures_makes_both_sign_anew(
    here: FirstSite, deployment: Deployment
) -> None:
    pass_all(deployment, here.officer)
    deploying.sign(deployment, to="validation", by=here.officer)
    Gate.objects.filter(kind="dpia").update(evidence="another assessment")
    with pytest.raises(MoveNotAllowed, match="Data protection impact assessment. Signing begins"):
        deploying.sign(deployment, to="validation", by=here.radiologist)
    deployment.refresh_from_db()
    assert deployment.state == "shadow"
    assert not deployment.signatures.exists()
    told = AuditEvent.objects.get(action="deployment.signatures_void")
    assert told.details["changed"] == ["dpia"]
    both_sign(here, deployment, to="validation")


def test_who_was_shown_other_gates_than_there_are_signs_nothing(
    here: FirstSite, deployment: Deployment
) -> None:
    pass_all(deployment, here.officer)
    seen = digest_of(facts_for(deployment, to="validation"))
    Gate.objects.filter(kind="dpia").update(evidence="another assessment")
    with pytest.raises(MoveNotAllowed, match="changed since you were shown them"):
        deploying.sign(deployment, to="validation", by=here.officer, seen=seen)
    assert not deployment.signatures.exists()
    client = client_of(here.radiologist)
    page = client.get(f"/deployments/{deployment.pk}/").content.decode()
    seen = digest_of(facts_for(deployment, to="validation"))
    assert f'name="seen" value="{seen}"' in page
    client.post(f"/deployments/{deployment.pk}/sign/", {"to": "validation", "seen": "0" * 64})
    assert not deployment.signatures.exists()
    client.post(f"/deployments/{deployment.pk}/sign/", {"to": "validation", "seen": seen})
    assert deployment.signatures.get().user == here.radiologist


def test_an_open_gate_is_named_and_keeps_it_where_it_is(
    here: FirstSite, deployment: Deployment
) -> None:
    pass_gate(deployment, Kind.DPIA, here.officer)
    with pytest.raises(MoveNotAllowed) as refused:
        deploying.sign(deployment, to="validation", by=here.officer)
    assert str(refused.value) == (
        "Validation needs gates that do not stand: Regulatory snapshot, "
        "Data processing agreement, Risk analysis"
    )
    with pytest.raises(MoveNotAllowed, match="From Shadow it cannot go to Clinical"):
        deploying.sign(deployment, to="clinical", by=here.officer)


def test_a_call_off_that_is_closed_opens_its_gate_at_once(
    here: FirstSite, deployment: Deployment
) -> None:
    day = date(2026, 6, 1)

    def line() -> gates.Standing:
        found = gates.standing(deployment, on=day)
        return next(one for one in found if one.kind == Kind.CALL_OFF_LINE)

    assert (line().stands, str(line().why)) == (True, "CO-0001")
    here.call_off.state = "closed"
    here.call_off.save()
    assert (line().stands, str(line().why)) == (False, "none is active at Drammen sykehus")


def test_one_person_suspends_it_with_a_reason_and_two_take_it_up_again(
    here: FirstSite, deployment: Deployment
) -> None:
    pass_all(deployment, here.officer)
    for state in ("validation", "clinical"):
        both_sign(here, deployment, to=state)
    deploying.step(deployment, to="suspended", why="odd results", by=here.radiologist)
    deployment.refresh_from_db()
    assert (deployment.state, deployment.suspended_by, deployment.suspended_why) == (
        "suspended", "radiologist.drammen", "odd results"
    )  # fmt: skip
    both_sign(here, deployment, to="clinical")
    deployment.refresh_from_db()
    assert (deployment.state, deployment.suspended_by) == ("clinical", "")


def test_what_was_suspended_goes_back_no_further_than_it_had_come(
    here: FirstSite, deployment: Deployment
) -> None:
    """Else a suspension were a way past validation."""
    pass_all(deployment, here.officer)
    deploying.step(deployment, to="suspended", why="odd results", by=here.radiologist)
    with pytest.raises(MoveNotAllowed, match="From Suspended it cannot go to Clinical"):
        deploying.sign(deployment, to="clinical", by=here.officer)
    both_sign(here, deployment, to="validation")
    deployment.refresh_from_db()
    assert deployment.state == "validation"


def both_sign(here: FirstSite, deployment: Deployment, *, to: str) -> None:
    assert deploying.sign(deployment, to=to, by=here.officer) is None
    assert deploying.sign(deployment, to=to, by=here.radiologist) is not None


def changed(here: FirstSite, **values: Any) -> Cleared:
    known = {name: getattr(here.clearance, name) for name in Cleared.__slots__}
    return Cleared(**(known | values))


def test_another_udi_di_opens_validation_again_and_a_new_certificate_does_not(
    here: FirstSite, deployment: Deployment
) -> None:
    pass_all(deployment, here.officer)
    Deployment.objects.update(state="clinical")
    renewed = changed(here, certificate_number="CE-800000", expires=date(2035, 1, 14))
    clearing.record(here.version, renewed, by=here.administrator)
    deployment.refresh_from_db()
    assert deployment.state == "clinical"
    assert gates.missing(deployment, to="clinical", on=date(2026, 6, 1)) == ()

    clearing.record(here.version, changed(here, udi_di="09506000134369"), by=here.administrator)
    deployment.refresh_from_db()
    assert deployment.state == "validation"
    missing = gates.missing(deployment, to="clinical", on=date(2026, 6, 1))
    assert [one.kind for one in missing] == ["regulatory_snapshot", "local_validation"]
    assert str(missing[1].why) == (
        "decided for the UDI-DI 09506000134352; it is 09506000134369 now"
    )


def test_a_version_under_the_same_udi_di_is_the_device_that_was_validated(
    here: FirstSite, deployment: Deployment
) -> None:
    pass_all(deployment, here.officer)
    minor = parties.algorithm_version(version="1.0.1")
    major = parties.algorithm_version(version="2.0.0", udi_di="09506000134369")
    for version, stands in ((minor, True), (major, False)):
        row = deploying.begin(version, site=here.site, by=here.officer)
        found = {one.kind: one.stands for one in gates.standing(row)}
        assert found[Kind.LOCAL_VALIDATION] is stands
        elsewhere = deploying.begin(version, site=here.other_site, by=here.officer)
        found = {one.kind: one.stands for one in gates.standing(elsewhere)}
        assert found[Kind.LOCAL_VALIDATION] is False


def test_the_last_word_on_a_device_counts_also_where_it_is_against_it(
    here: FirstSite, deployment: Deployment
) -> None:
    pass_all(deployment, here.officer)
    second = deploying.begin(
        parties.algorithm_version(version="1.0.1"), site=here.site, by=here.officer
    )
    decide(second, Kind.LOCAL_VALIDATION, Decision(False), by=here.officer)
    third = deploying.begin(
        parties.algorithm_version(version="1.0.2"), site=here.site, by=here.officer
    )
    (validation,) = [
        one for one in gates.standing(third) if one.kind == Kind.LOCAL_VALIDATION
    ]
    assert not validation.stands
    assert str(validation.why).startswith("decided against it on ")
    Gate.objects.filter(deployment=second).update(decided_on=date(2026, 1, 1))
    assert Kind.LOCAL_VALIDATION not in [
        one.kind for one in gates.missing(third, to="clinical")
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"true_positive": 304}, ("details.true_positive", "at least 315 studies")),
        ({"true_negative": 700}, ("details.true_negative", "at least 1050 studies in all")),
        ({"least_sensitivity": 0.97}, ("details.least_sensitivity", "at least 0.97, found")),
        ({"margin": 0}, ("details.margin", "expected a number from 0.001 to 0.5, got 0")),
        ({"guess": 1}, ("details.guess", "expected one of")),
    ],
)  # fmt: skip
def test_a_validation_that_proves_too_little_does_not_stand(
    here: FirstSite, deployment: Deployment, change: dict[str, Any], problem: tuple[str, str]
) -> None:
    with pytest.raises(DecisionRefused) as refused:
        pass_gate(deployment, Kind.LOCAL_VALIDATION, here.officer, **change)
    path, text = refused.value.problems[0]
    assert path == problem[0]
    assert problem[1] in text
    assert not deployment.gates.exists()


def test_a_gate_without_evidence_or_of_a_day_to_come_is_refused(
    here: FirstSite, deployment: Deployment
) -> None:
    with pytest.raises(DecisionRefused) as refused:
        decide(
            deployment, Kind.DPIA, Decision(True, decided_on=date(2099, 1, 1)), by=here.officer
        )
    assert [path for path, _ in refused.value.problems] == ["evidence", "decided_on"]
    with pytest.raises(DecisionRefused, match="expected a gate that people decide"):
        pass_gate(deployment, Kind.CALL_OFF_LINE, here.officer)


def test_a_snapshot_of_a_device_that_is_not_fit_does_not_stand(
    here: FirstSite, deployment: Deployment
) -> None:
    clearing.record(here.version, changed(here, risk_class="I"), by=here.administrator)
    with pytest.raises(DecisionRefused, match="is of risk class I"):
        pass_gate(deployment, Kind.REGULATORY_SNAPSHOT, here.officer)
