"""What history hangs on is never removed, and what hangs there is said."""

import json

import pytest
from django.utils import timezone
from knox.models import AuthToken

from contracts.models import CallOff, CallOffLine, UsageEvent
from hub.models import AuditEvent, Node, Organisation, Site, User
from marketplace.models import AlgorithmVersion
from routing.models import Breaker, Message, Rule, Study, Workitem
from tests.hub.configuration.setups import MANIFEST, SETUP, applied, refused, write

pytestmark = pytest.mark.django_db
NOTHING_LEFT = SETUP[: SETUP.index("sites:")]


@pytest.fixture
def setup(tmp_path):
    applied(write(tmp_path))
    return tmp_path


def a_study() -> Study:
    now = timezone.now()
    return Study.objects.create(
        site=Site.objects.get(), study_instance_uid=f"2.25.{Study.objects.count()}",
        source=Node.objects.get(code="drammen-pacs"), first_instance_at=now, last_instance_at=now,
        read_by=now, waiting_since=now,
    )  # fmt: skip


def a_workitem(**more) -> Workitem:
    return Workitem.objects.create(
        study=a_study(), revision=1, version=AlgorithmVersion.objects.get(), priority=4,
        input_fingerprint="f", **more,
    )  # fmt: skip


def a_usage_event() -> None:
    line = CallOffLine.objects.get()
    UsageEvent.objects.create(
        source="hub", event_id="1", at=timezone.now(), study_ref="r", call_off=line.call_off,
        line=line, algorithm=line.algorithm, version=AlgorithmVersion.objects.get(), site=line.site,
    )  # fmt: skip


def test_prune_removes_all_that_is_not_in_the_file_and_says_so(setup):
    outcome = applied(write(setup, NOTHING_LEFT), is_pruning=True)
    assert outcome.lines[0] == "delete rule head-ct"
    assert outcome.lines[-1] == "delete site drammen"
    assert not Site.objects.exists()
    assert not User.objects.exists()
    assert Organisation.objects.count() == 2


def test_a_site_with_studies_and_messages_is_kept_with_all_else(setup):
    a_study(), a_study()
    Message.objects.create(
        node=Node.objects.get(code="drammen-ris"), control_id="1", message_type="OMI^O23", raw=b"",
        received_at=timezone.now(),
    )  # fmt: skip
    problems = {one.code: one.text for one in refused(write(setup, NOTHING_LEFT), is_pruning=True)}
    assert problems == {
        "drammen": "cannot be removed, it still has 2 nodes, 2 studies",
        "drammen-pacs": "cannot be removed, it still has 2 studies",
        "drammen-ris": "cannot be removed, it still has 1 message",
    }
    assert Rule.objects.exists()
    assert User.objects.exists()
    assert AuditEvent.objects.filter(action="setup_refused").count() == 1


def test_a_dry_run_refuses_what_a_prune_would(setup):
    a_study()
    assert refused(write(setup, NOTHING_LEFT), is_pruning=True, is_dry_run=True)
    assert Rule.objects.exists()


def test_a_line_under_which_was_metered_cannot_leave_its_call_off(setup):
    a_usage_event()
    text = SETUP[: SETUP.index("    lines:")] + SETUP[SETUP.index("deployments:") :]
    (problem,) = refused(write(setup, text))
    assert (problem.code, problem.field) == ("CO-1", "lines[bleed/drammen]")
    assert "1 usage event" in problem.text
    assert CallOffLine.objects.exists()


def test_a_call_off_with_usage_is_not_pruned_and_closing_it_is_proposed(setup):
    a_usage_event()
    start, stop = SETUP.index("call_offs:"), SETUP.index("deployments:")
    (problem,) = refused(write(setup, SETUP[:start] + SETUP[stop:]), is_pruning=True)
    assert problem.text == "cannot be removed, it still has 2 usage events; set state: closed"
    assert CallOff.objects.exists()


def test_a_version_that_ran_keeps_its_manifest(setup):
    a_workitem()
    name = write(setup, performer={"kind": "process", "command": ["other"]})
    (problem,) = refused(name)
    assert problem.field == "versions[1.10].manifest"
    assert "1 workitem used it as it is; give it a new version" in problem.text
    assert AlgorithmVersion.objects.get().manifest["performer"]["command"][0] == "python"


def test_a_version_that_ran_may_get_a_new_certificate(setup):
    a_workitem()
    outcome = applied(write(setup, SETUP.replace("CE-1,", "CE-2,")))
    assert len(outcome.lines) == 1


def test_a_reader_who_accepted_a_result_is_not_forgotten(setup):
    a_workitem(reviewed_by=User.objects.get(username="radiologist.drammen"))
    start = SETUP.index("  - {username: radiologist")
    text = SETUP[:start] + SETUP[SETUP.index("  - {username: admin") :]
    (problem,) = refused(write(setup, text), is_pruning=True)
    assert problem.text == (
        "cannot be removed, it still has 1 workitem; set active: false to close the account"
    )


def test_tokens_and_breakers_are_no_history(setup):
    AuthToken.objects.create(user=User.objects.get(username="admin"))
    Breaker.objects.create(node=Node.objects.get(code="drammen-pacs"))
    applied(write(setup, NOTHING_LEFT), is_pruning=True)
    assert not AuthToken.objects.exists()


def test_a_reference_to_what_would_be_pruned_is_told(setup):
    text = SETUP[: SETUP.index("sites:")] + SETUP[SETUP.index("members:") :]
    problems = refused(write(setup, text), is_pruning=True)
    assert "expected a known site, found drammen" in problems[0].text


def test_an_empty_file_never_prunes_everything(setup):
    (problem,) = refused(write(setup, "version: 1\n"), is_pruning=True)
    assert "--prune would remove everything" in problem.text
    assert Site.objects.exists()


def test_a_peer_gets_another_code_in_one_go(setup):
    text = SETUP.replace("code: drammen-pacs", "code: pacs")
    outcome = applied(write(setup, text), is_pruning=True)
    assert outcome.lines == ["create node pacs", "delete node drammen-pacs"]
    assert Node.objects.get(ae_title="ON").code == "pacs"


def test_a_version_goes_together_with_its_deployment(setup):
    another = {**MANIFEST, "version": "1.11"}
    (setup / "manifests" / "other.json").write_text(json.dumps(another))
    text = SETUP.replace("versions:", "versions:\n      - {manifest: manifests/other.json}")
    deployment = "  - {site: drammen, algorithm: bleed, version: 1.11, state: retired}\n"
    applied(write(setup, text.replace("rules:", f"{deployment}rules:")))

    outcome = applied(write(setup), is_pruning=True)

    assert len(outcome.lines) == 2
    assert AlgorithmVersion.objects.get().version == "1.10"


def test_two_peers_swap_their_ae_titles(setup):
    other = SETUP[SETUP.index("  - code: drammen-pacs") : SETUP.index("  - code: drammen-ris")]
    other = other.replace("drammen-pacs", "other").replace('"ON"', "OTHER")
    text = SETUP.replace("vendors:", f"{other}vendors:")
    applied(write(setup, text))

    swapped = text.replace('"ON"', "THIRD").replace("OTHER", '"ON"').replace("THIRD", "OTHER")
    outcome = applied(write(setup, swapped))

    assert outcome.lines == [
        "update node drammen-pacs: ae_title ON -> OTHER", "update node other: ae_title OTHER -> ON",
    ]  # fmt: skip
    found = Node.objects.filter(protocol="dicom").values_list("code", "ae_title", "host")
    assert set(found) == {
        ("drammen-pacs", "OTHER", "127.0.0.1"), ("other", "ON", "127.0.0.1"),
    }  # fmt: skip
