"""Signing in: what it leaves in the audit trail, guessing that comes to an end, and old pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import global_settings
from django.contrib.auth.hashers import identify_hasher, make_password
from django.test import Client
from django.utils import timezone

from hub import signing_in
from hub.models import AuditEvent, User

pytestmark = pytest.mark.django_db

PASSWORD = "fifteen-blue-fjords"
WRONG = "That user name and password do not belong together."
TOO_MANY = "Too many wrong passwords"


@pytest.fixture
def kari(settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("kari", password=PASSWORD)


def sign_in(name: str, password: str, *, address: str = "10.0.0.7") -> Any:
    form = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post("/login/", form)


def trail() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("pk").values_list("actor", "action"))


def test_signing_in_and_out_stand_in_the_audit_trail(kari: User) -> None:
    client = Client(REMOTE_ADDR="10.0.0.7")
    client.post("/login/", {"username": "kari", "password": PASSWORD})
    client.post("/logout/")
    assert trail() == [("kari", "signed_in"), ("kari", "signed_out")]
    assert AuditEvent.objects.first().details == {"address": "10.0.0.7"}


def test_a_wrong_password_stands_in_the_audit_trail_and_nobody_is_signed_in(kari: User) -> None:
    response = sign_in("kari", "wrong-password")
    assert WRONG in response.content.decode()
    assert "sessionid" not in response.cookies
    assert trail() == [("kari", "sign_in_failed")]


def test_a_password_typed_as_a_name_is_not_kept(kari: User) -> None:
    assert WRONG in sign_in(PASSWORD, "kari").content.decode()
    event = AuditEvent.objects.get()
    assert PASSWORD not in f"{event.actor} {event.subject} {event.details}"


@pytest.mark.parametrize("name", ["kari", "nobody"])
def test_guessing_comes_to_an_end_whether_the_name_is_somebody_or_not(
    kari: User, name: str
) -> None:
    for attempt in range(signing_in.MOST_FAILURES):
        assert WRONG in sign_in(name, f"guess {attempt}").content.decode()
    refused = sign_in(name, PASSWORD)
    assert TOO_MANY in refused.content.decode()
    assert "sessionid" not in refused.cookies
    assert len(trail()) == signing_in.MOST_FAILURES


def test_guessing_locks_nobody_out_who_sits_elsewhere(kari: User) -> None:
    for attempt in range(signing_in.MOST_FAILURES):
        sign_in("kari", f"guess {attempt}", address="10.6.6.6")
    assert sign_in("kari", PASSWORD).status_code == 302


def test_the_end_of_guessing_passes(kari: User) -> None:
    early = timezone.now() - signing_in.WINDOW - timedelta(seconds=1)
    for _ in range(signing_in.MOST_FAILURES):
        AuditEvent.objects.create(
            at=early, actor="kari", action="sign_in_failed", details={"address": "10.0.0.7"}
        )
    assert sign_in("kari", PASSWORD).status_code == 302


def test_the_right_password_forgives_the_wrong_ones_before(kari: User) -> None:
    for attempt in range(signing_in.MOST_FAILURES - 1):
        sign_in("kari", f"guess {attempt}")
    assert sign_in("kari", PASSWORD).status_code == 302
    assert WRONG in sign_in("kari", "once more").content.decode()


def test_somebody_whose_account_is_closed_cannot_sign_in(kari: User) -> None:
    User.objects.filter(pk=kari.pk).update(is_active=False)
    assert WRONG in sign_in("kari", PASSWORD).content.decode()
    assert trail() == [("kari", "sign_in_failed")]


def test_a_button_on_an_old_page_is_answered_by_a_sentence_in_the_language_of_the_page(
    kari: User,
) -> None:
    client = Client(enforce_csrf_checks=True, headers={"accept-language": "nb"})
    client.force_login(kari)
    response = client.post("/logout/", {"csrfmiddlewaretoken": "of yesterday"})
    assert response.status_code == 403
    assert "eldre enn økten din" in response.content.decode()
    assert trail() == []


def failed(actor: str, *, address: str, times: int) -> None:
    now = timezone.now()
    AuditEvent.objects.bulk_create(
        AuditEvent(at=now, actor=actor, action="sign_in_failed", details={"address": address})
        for _ in range(times)
    )


def test_one_password_tried_on_everybody_comes_to_an_end_too(kari: User) -> None:
    """Ten for each name would be a password each for a thousand names."""
    for number in range(signing_in.MOST_OF_ADDRESS):
        failed(f"somebody {number}", address="10.6.6.6", times=1)
    assert TOO_MANY in sign_in("kari", PASSWORD, address="10.6.6.6").content.decode()
    assert sign_in("kari", PASSWORD, address="10.0.0.7").status_code == 302


def test_guessing_from_many_addresses_comes_to_an_end_where_the_person_never_sat(
    kari: User,
) -> None:
    assert sign_in("kari", PASSWORD, address="10.0.0.7").status_code == 302
    for number in range(signing_in.MOST_OF_NAME):
        failed("kari", address=f"10.66.{number}.1", times=1)
    assert TOO_MANY in sign_in("kari", PASSWORD, address="10.66.200.1").content.decode()
    # and yet nobody can lock the person out
    assert sign_in("kari", PASSWORD, address="10.0.0.7").status_code == 302


def test_the_longest_of_several_waits_is_told(kari: User) -> None:
    failed("kari", address="10.0.0.7", times=signing_in.MOST_OF_ADDRESS)
    assert "in 15 min" in sign_in("kari", PASSWORD).content.decode()


def test_a_password_is_kept_as_a_slow_hash(settings: Any) -> None:
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS
    kept = make_password(PASSWORD)
    assert identify_hasher(kept).algorithm == "pbkdf2_sha256"
    assert int(kept.split("$")[1]) >= 600_000
    assert PASSWORD not in kept


def test_a_new_session_has_a_new_name_and_a_cookie_that_no_script_reads(
    kari: User, settings: Any
) -> None:
    client = Client(REMOTE_ADDR="10.0.0.7")
    client.cookies["sessionid"] = "chosen-by-somebody-else"
    answer = client.post("/login/", {"username": "kari", "password": PASSWORD})
    cookie = answer.cookies["sessionid"]
    assert cookie.value != "chosen-by-somebody-else"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert int(cookie["max-age"]) == 12 * 3600
    assert bool(cookie["secure"]) == settings.HUB_HTTPS


def test_a_new_password_ends_the_sessions_of_the_old_one(kari: User) -> None:
    client = Client(REMOTE_ADDR="10.0.0.7")
    client.post("/login/", {"username": "kari", "password": PASSWORD})
    assert client.get("/").status_code == 200
    kari.set_password("sixteen-green-fjords")
    kari.save()
    assert client.get("/").status_code == 302
