import io
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIRequestFactory

from hub.models import AuditEvent, Site, User
from tests.hub.configuration.setups import SETUP, applied, line_of, write

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[3]


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def answering(monkeypatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_apply_prints_the_plan_and_then_exactly_that_nothing_changes(tmp_path):
    name = write(tmp_path)
    assert "create site drammen\n" in run("apply", name)
    assert run("apply", name) == "nothing to change\n"
    event = AuditEvent.objects.get(action="setup_applied")
    assert event.actor.endswith("(command line)")


def test_apply_ends_a_dry_run_by_saying_so(tmp_path):
    told = run("apply", "--dry-run", write(tmp_path))
    assert told.endswith("dry run, nothing was changed: 13 to create\n")
    assert not Site.objects.exists()


def test_apply_tells_all_problems_in_its_error(tmp_path):
    name = write(tmp_path, SETUP.replace("port: 2576", "port: x").replace("role: admin", "role: "))
    with pytest.raises(CommandError) as error:
        run("apply", name)
    first, *problems = str(error.value).splitlines()
    assert first == "2 problems, nothing was changed"
    line = line_of(SETUP, "port: 2576")
    assert problems[1].startswith(f"{name}:{line}: nodes drammen-ris: port: expected a whole")


def test_apply_prunes_when_told(tmp_path):
    run("apply", write(tmp_path))
    told = run("apply", "--prune", write(tmp_path, SETUP[: SETUP.index("rules:")]))
    assert told == "delete rule head-ct\napplied: 1 to delete\n"


def test_export_writes_to_standard_output_or_a_file(tmp_path):
    applied(write(tmp_path))
    inline = write(tmp_path, run("export"), name="inline.yaml")
    assert run("apply", "--prune", inline) == "nothing to change\n"
    told = run("export", str(tmp_path / "out" / "all.yaml"))
    assert told.splitlines()[-1] == f"wrote {tmp_path}/out/all.yaml"
    assert run("apply", str(tmp_path / "out" / "all.yaml")) == "nothing to change\n"


def test_export_says_where_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be written"):
        run("export", str(tmp_path / "file" / "setup.yaml"))


def test_a_token_is_alone_on_its_line_and_lets_its_owner_in(tmp_path):
    from knox.auth import TokenAuthentication
    from knox.models import AuthToken

    applied(write(tmp_path))
    told = run("token", "admin")
    token = told.strip()
    assert told == f"{token}\n"
    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Token {token}")
    user, _ = TokenAuthentication().authenticate(request)
    assert user.username == "admin"
    assert token not in str(AuthToken.objects.values())
    event = AuditEvent.objects.get(action="token_created")
    assert event.subject == "admin"
    assert token not in str(event.details)


def test_a_password_is_set_from_the_first_line_and_audited(tmp_path, monkeypatch):
    applied(write(tmp_path))
    answering(monkeypatch, "  blanks count \nrest\n")
    run("password", "admin")
    assert User.objects.get(username="admin").check_password("  blanks count ")
    event = AuditEvent.objects.get(action="password_set")
    assert (event.subject, event.details) == ("admin", {})


@pytest.mark.parametrize(
    ("typed", "why"),
    [("short\n", "at least 10 characters"), ("password123\n", "too common"), ("", "found nothing")],
)
def test_a_weak_password_is_refused_with_the_reason(tmp_path, monkeypatch, typed, why):
    applied(write(tmp_path))
    answering(monkeypatch, typed)
    with pytest.raises(CommandError, match=why):
        run("password", "admin")
    assert not User.objects.get(username="admin").has_usable_password()


def test_revoking_ends_every_token_of_that_user_and_of_nobody_else(tmp_path):
    from knox.auth import TokenAuthentication
    from rest_framework.exceptions import AuthenticationFailed

    applied(write(tmp_path))
    mine, other = run("token", "admin").strip(), run("token", "radiologist.drammen").strip()
    assert run("token", "admin", "--revoke") == "tokens of admin ended: 1\n"
    factory = APIRequestFactory()
    with pytest.raises(AuthenticationFailed):
        TokenAuthentication().authenticate(factory.get("/", HTTP_AUTHORIZATION=f"Token {mine}"))
    kept = TokenAuthentication().authenticate(factory.get("/", HTTP_AUTHORIZATION=f"Token {other}"))
    assert kept[0].username == "radiologist.drammen"
    event = AuditEvent.objects.get(action="tokens_revoked")
    assert (event.subject, len(event.details["token_keys"])) == ("admin", 1)


@pytest.mark.parametrize("command", ["token", "password"])
def test_an_unknown_or_closed_account_is_told(tmp_path, command):
    closed = SETUP.replace("name: IT administrator,", "name: IT administrator, active: false,")
    applied(write(tmp_path, closed))
    with pytest.raises(CommandError, match="no user is called amdin; did you mean admin?"):
        run(command, "amdin")
    with pytest.raises(CommandError, match="the account admin is closed"):
        run(command, "admin")


def test_a_refusal_ends_with_code_1_and_without_a_stack_trace(tmp_path):
    environment = {"HUB_STATE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for words in (["apply", write(tmp_path, "version: 1")], ["token", "x"], ["export"]):
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, timeout=60,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, "")
        assert "the database cannot be used (migrated?)" in done.stderr
        assert "Traceback" not in done.stderr
