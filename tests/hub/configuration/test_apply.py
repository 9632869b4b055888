import datetime
from decimal import Decimal

import pytest

from contracts.models import CallOff, CallOffLine, FrameworkAgreement, PriceBookEntry
from hub.models import AuditEvent, Membership, Node, Organisation, Site, User
from marketplace.models import Algorithm, AlgorithmVersion, Clearance, Deployment
from routing.models import Rule
from tests.hub.configuration.setups import (
    EXAMPLES,
    SETUP,
    applied,
    line_of,
    needs_examples,
    refused,
    write,
)

pytestmark = pytest.mark.django_db


def test_a_set_up_becomes_rows(tmp_path):
    applied(write(tmp_path))
    node = Node.objects.get(code="drammen-ris")
    assert (node.host, node.port, node.has_role("priority")) == ("127.0.0.1", 2576, True)
    assert node.hl7["receiving_application"] == "RIS"
    clearance = Clearance.objects.get(version__algorithm__code="bleed")
    assert (clearance.risk_class, clearance.notified_body) == ("IIa", "2460")
    assert clearance.expires == datetime.date(2030, 1, 14)
    framework = FrameworkAgreement.objects.get(code="2020-1968")
    assert framework.maximum_value == Decimal("40000000.00")
    assert framework.authorities.get().organisation.code == "vv"
    assert PriceBookEntry.objects.get().terms == {
        "tiers": [
            {"up_to": 10000, "unit_price": "24.00"},
            {"up_to": 30000, "unit_price": "18.125"},
            {"up_to": None, "unit_price": "9.75"},
        ],
        "introduction": [{"months": 3, "discount": "100%"}],
    }
    assert CallOff.objects.get().state == "active"
    assert Deployment.objects.get().version.version == "1.10"
    assert Rule.objects.get().when["all"][1] == {"series.instance_count": {"at_least": 10}}


def test_words_that_yaml_would_turn_into_something_else_stay_text(tmp_path):
    applied(write(tmp_path))
    assert Organisation.objects.get(code="vv").country == "NO"
    assert Organisation.objects.get(code="sp").organisation_number == "914637651"
    assert Node.objects.get(code="drammen-pacs").ae_title == "ON"
    assert Node.objects.get(code="drammen-ris").hl7["receiving_facility"] == "NO"
    assert AlgorithmVersion.objects.get().version == "1.10"


def test_a_second_apply_changes_nothing_and_is_not_audited(tmp_path):
    name = write(tmp_path)
    assert len(applied(name).changes) == 13
    assert applied(name).lines == []
    assert AuditEvent.objects.filter(action="setup_applied").count() == 1


def test_a_member_has_roles_and_no_usable_password(tmp_path):
    applied(write(tmp_path))
    user = User.objects.get(username="radiologist.drammen")
    assert not user.has_usable_password()
    membership = user.memberships.get()
    assert (membership.role, membership.site.code) == (Membership.Role.RADIOLOGIST, "drammen")
    assert list(Site.objects.visible_to(user)) == [Site.objects.get(code="drammen")]


def test_an_account_is_closed_and_its_password_kept_when_the_file_says_inactive(tmp_path):
    applied(write(tmp_path))
    user = User.objects.get(username="admin")
    user.set_password("a long enough secret")
    user.save()
    text = SETUP.replace("name: IT administrator,", "name: IT administrator, active: false,")
    outcome = applied(write(tmp_path, text))
    assert outcome.lines == ["update member admin: active true -> false"]
    user.refresh_from_db()
    assert (user.is_active, user.check_password("a long enough secret")) == (False, True)


def test_an_update_says_each_field_with_its_old_and_new_value(tmp_path):
    applied(write(tmp_path))
    text = SETUP.replace("port: 11113", "port: 11114").replace("volume_estimate: 8000", "")
    text = text.replace("notified_body: \"2460\"", "notified_body: \"0297\"")
    outcome = applied(write(tmp_path, text))
    assert outcome.lines == [
        "update node drammen-pacs: port 11113 -> 11114",
        "update algorithm bleed: versions[1.10].clearance.certificate.notified_body 2460 -> 0297",
        "update call_off CO-1: lines[bleed/drammen].volume_estimate 8000 -> 0",
    ]
    assert Node.objects.get(code="drammen-pacs").port == 11114
    assert CallOffLine.objects.get().volume_estimate == 0


def test_a_line_taken_out_of_a_call_off_is_removed(tmp_path):
    applied(write(tmp_path))
    start = SETUP.index("    lines:")
    text = SETUP[:start] + SETUP[SETUP.index("deployments:"):]
    (line,) = applied(write(tmp_path, text)).lines
    assert line.startswith("update call_off CO-1: lines[bleed/drammen] {")
    assert line.endswith("-> nothing")
    assert not CallOffLine.objects.exists()


def test_an_entry_that_left_the_file_stays_unless_pruned(tmp_path):
    applied(write(tmp_path))
    text = SETUP[: SETUP.index("rules:")]
    assert applied(write(tmp_path, text)).changes == ()
    assert Rule.objects.exists()


def test_a_dry_run_says_the_plan_and_changes_nothing(tmp_path):
    name = write(tmp_path)
    outcome = applied(name, is_dry_run=True)
    assert "create site drammen" in outcome.lines
    assert not Site.objects.exists()
    assert not AuditEvent.objects.exists()
    assert applied(name).lines == outcome.lines


def test_a_changed_manifest_of_an_unused_version_is_shown_by_its_path(tmp_path):
    applied(write(tmp_path))
    performer = {"kind": "process", "command": ["python", "-c", "pass"], "timeout_seconds": 60}
    outcome = applied(write(tmp_path, performer=performer))
    assert outcome.lines == [
        "update algorithm bleed: versions[1.10].manifest.performer.timeout_seconds nothing -> 60"
    ]


def test_one_problem_anywhere_changes_nothing_at_all(tmp_path):
    text = SETUP.replace("at_least: 10", "at_leest: 10")
    (problem,) = refused(write(tmp_path, text))
    assert (problem.section, problem.code) == ("rules", "head-ct")
    assert problem.field == "when.all[1].series.instance_count.at_leest"
    assert problem.place.line == line_of(text, "at_leest")
    assert not Organisation.objects.exists()


def test_a_refused_attempt_leaves_an_audit_event_and_a_dry_run_none(tmp_path):
    name = write(tmp_path, SETUP.replace("port: 2576", "port: 70000"))
    refused(name, is_dry_run=True)
    assert not AuditEvent.objects.exists()
    refused(name)
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.subject) == ("setup_refused", "tester", name[:200])
    assert "expected a whole number from 1 to 65535" in event.details["problems"][0]


def test_what_only_the_database_refuses_is_told_and_taken_back(tmp_path):
    applied(write(tmp_path))
    Node.objects.create(
        code="by-hand", site=Site.objects.get(), protocol="dicom", ae_title="TAKEN",
        host="127.0.0.1", roles=["orders"],
    )  # fmt: skip
    text = SETUP.replace('"ON"', "TAKEN").replace("name: Bleed", "name: Other")
    problems = refused(write(tmp_path, text))
    assert [problem.code for problem in problems] == ["drammen-pacs"]
    assert problems[0].text.startswith("expected to fit what is there: ")
    assert list(Node.objects.values_list("ae_title", flat=True)) == ["ON", "", "TAKEN"]
    assert not Algorithm.objects.filter(name="Other").exists()


@needs_examples
def test_the_shared_example_is_applied_and_then_nothing_changes():
    name = str(EXAMPLES / "first-site.yaml")
    assert len(applied(name).changes) == 14
    assert applied(name).lines == []
    assert AlgorithmVersion.objects.get().manifest_name == "ich-triage-1.0.0.json"
