"""API tokens: until when they hold, when they were used, and what comes of trying or hurrying."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from hub import tokens
from hub.models import AuditEvent, User
from tests.builders import parties

pytestmark = pytest.mark.django_db
WORKLIST = "/api/v1/worklist/"


@pytest.fixture
def user() -> User:
    return parties.first_site().radiologist


@pytest.fixture(autouse=True)
def rates() -> Iterator[None]:
    """Every test finds full buckets; for wrong tokens each has an address of its own."""
    tokens._requests.cache_clear()
    yield
    tokens._requests.cache_clear()


def ask(token: str, *, address: str = "10.0.0.7", path: str = WORKLIST) -> Any:
    client = APIClient(REMOTE_ADDR=address)
    return client.get(path, HTTP_AUTHORIZATION=f"Token {token}")


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("token", *words, stdout=out)
    return out.getvalue()


# -- until when --------------------------------------------------------------------------------
def test_a_token_ends_after_a_year_unless_told_otherwise(user: User, settings: Any) -> None:
    token = run(user.username).strip()
    row = AuthToken.objects.get()
    assert row.expiry is not None
    expected = timezone.localdate() + timedelta(days=settings.HUB_TOKEN_DAYS)
    assert timezone.localtime(row.expiry) == timezone.make_aware(
        datetime.combine(expected, datetime.min.time())
    )
    assert ask(token).status_code == 200


def test_a_token_ends_on_the_day_that_was_asked_for(user: User) -> None:
    day = timezone.localdate() + timedelta(days=7)
    token = run(user.username, "--expires", str(day)).strip()
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    refused = ask(token)
    assert refused.status_code == 401
    assert refused.json() == ask("0" * 64).json()  # as one that never was
    assert not AuthToken.objects.exists()
    created = AuditEvent.objects.get(action="token_created")
    assert created.details["expires"] == str(day)


def test_a_token_may_hold_for_ever_where_somebody_asks_for_it(user: User) -> None:
    token = run(user.username, "--expires", "never").strip()
    assert AuthToken.objects.get().expiry is None
    assert ask(token).status_code == 200


@pytest.mark.parametrize("day", ["2020-01-01", "soon", ""])
def test_a_day_that_is_over_or_is_none_makes_no_token(user: User, day: str) -> None:
    with pytest.raises(CommandError, match="expected a day"):
        run(user.username, f"--expires={day}")
    assert not AuthToken.objects.exists()


def test_a_token_made_in_code_ends_too(user: User) -> None:
    assert AuthToken.objects.create(user=user)[0].expiry is not None


# -- when it was used --------------------------------------------------------------------------
def test_the_list_tells_when_and_from_where_a_token_was_last_used(user: User) -> None:
    token = run(user.username).strip()
    assert "last used never" in run(user.username, "--list")
    for _ in range(3):
        ask(token, address="10.0.0.9")
    told = run(user.username, "--list")
    assert f"{timezone.now():%Y-%m-%d}" in told
    assert "from 10.0.0.9" in told
    assert token not in told
    assert token[:15] in told
    assert AuditEvent.objects.filter(action="token_used").count() == 1


def test_an_expired_token_is_listed_as_such(user: User) -> None:
    run(user.username)
    AuthToken.objects.update(expiry=timezone.now() - timedelta(days=1))
    assert "expired" in run(user.username, "--list")


# -- trying ------------------------------------------------------------------------------------
def test_who_tries_tokens_is_told_to_wait_and_others_are_not(user: User) -> None:
    token = run(user.username).strip()
    tried = [
        ask(f"{number:064}", address="10.2.2.2") for number in range(tokens.WRONG_AT_ONCE)
    ]
    assert {one.status_code for one in tried} == {401}
    refused = ask(token, address="10.2.2.2")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) >= 1
    assert ask(token).status_code == 200
    assert Client(REMOTE_ADDR="10.2.2.2").get("/login/").status_code == 200


@pytest.mark.parametrize("token", ["\\xff" * 64, "\\0" * 64, "x", "a b", "%" * 64, "a" * 5000])
def test_what_can_be_no_token_is_refused_like_one_that_is_wrong(user: User, token: str) -> None:
    token = token.encode().decode("unicode_escape")
    for path in (WORKLIST, "/metrics"):
        refused = ask(token, path=path, address="10.1.1.1")
        assert refused.status_code == 401


# -- hurrying ----------------------------------------------------------------------------------
def test_who_comes_too_often_is_told_when_to_come_again(user: User, settings: Any) -> None:
    settings.HUB_API_RATE_PER_MINUTE = 6
    hurried, other = run(user.username).strip(), run(user.username).strip()
    answers = [ask(hurried) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 10
    assert answers[-1]["Cache-Control"] == "no-store"
    assert ask(other).status_code == 200  # another token of the same user
    session = Client()
    session.force_login(user)
    assert [session.get(WORKLIST).status_code for _ in range(2)] == [200, 429]


def test_a_stranger_who_reads_the_schema_too_often_is_told_so(settings: Any) -> None:
    settings.HUB_API_RATE_PER_MINUTE = 6
    client = APIClient(REMOTE_ADDR="10.0.0.7")
    assert [client.get("/api/schema/").status_code for _ in range(2)] == [200, 429]


def test_the_schema_tells_of_both_at_every_door() -> None:
    schema = APIClient().get("/api/schema/", HTTP_ACCEPT="application/json").json()
    operations = [one for path in schema["paths"].values() for one in path.values()]
    assert len(operations) >= 9
    for operation in operations:
        assert {"401", "429"} <= set(operation["responses"])
    assert "Retry-After" in operations[0]["responses"]["429"]["headers"]
