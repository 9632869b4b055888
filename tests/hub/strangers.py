"""Those who have no business at a door: how each of them asks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import Client
from knox.models import AuthToken

from hub.models import User
from tests.builders import parties
from tests.builders.parties import FirstSite
from tests.hub.doors import OFFICER
from vendors.models import Vendor, VendorMember


def token_of(user: User, *, days: float = 30) -> str:
    return str(AuthToken.objects.create(user=user, expiry=timedelta(days=days))[1])


_addresses = (f"10.3.{number >> 8 & 255}.{number & 255}" for number in itertools.count())


class Wanderer(Client):
    """Comes from another address each time, as wrong tokens are counted for one."""

    def generic(self, *words: Any, **options: Any) -> Any:
        return super().generic(*words, **{"REMOTE_ADDR": next(_addresses)} | options)


def with_token(token: str) -> Client:
    return Wanderer(HTTP_AUTHORIZATION=f"Token {token}", raise_request_exception=False)


def with_session(user: User) -> Client:
    client = Client(REMOTE_ADDR="10.3.3.1", raise_request_exception=False)
    client.force_login(user)
    return client


def revoked(user: User) -> str:
    row, token = AuthToken.objects.create(user=user)
    row.delete()
    return str(token)


def of_a_closed_account(places: FirstSite) -> str:
    token = token_of(places.radiologist)
    User.objects.filter(pk=places.radiologist.pk).update(is_active=False)
    return token


def whose_role_was_taken(places: FirstSite) -> Client:
    client = with_session(places.radiologist)
    places.radiologist.memberships.all().delete()
    return client


def of_the_other_trust(places: FirstSite) -> User:
    user = parties.member("chief", role="administrator", organisation=places.other_organisation)
    parties.member("chief", role="radiologist", organisation=places.other_organisation)
    return user


def of_a_vendor() -> User:
    """An account that a vendor was given: it holds no role at all."""
    return User.objects.create(username="examplemed", is_staff=True, is_superuser=True)


def of_another_vendor() -> User:
    """A person of a company that competes with the one whose algorithm runs here."""
    vendor = Vendor.objects.create(code="othermed", name="Other Medical AS")
    user = User.objects.create(username="othermed.anna")
    VendorMember.objects.create(user=user, vendor=vendor)
    return user


def of_the_vendor(places: FirstSite) -> User:
    """A person of the company whose algorithm runs here: no patient is hers to see."""
    user = User.objects.create(username="examplemed.anna")
    VendorMember.objects.create(user=user, vendor=places.vendor)
    return user


OWN_TOKEN = "a token of the own administrator"
STRANGERS: dict[str, Callable[[FirstSite], Client]] = {
    "nobody": lambda places: Client(REMOTE_ADDR="10.3.3.2", raise_request_exception=False),
    "a radiologist of the other trust": lambda places: with_session(places.other_radiologist),
    "a token of the other trust": lambda places: with_token(
        token_of(places.other_radiologist)
    ),
    "an administrator of the other trust": lambda places: with_session(of_the_other_trust(places)),
    "a token of that administrator": lambda places: with_token(
        token_of(of_the_other_trust(places))
    ),
    OFFICER: lambda places: with_session(places.officer),
    "a vendor's account": lambda places: with_session(of_a_vendor()),
    "a vendor's token": lambda places: with_token(token_of(of_a_vendor())),
    "a person of another vendor": lambda places: with_session(of_another_vendor()),
    "a token of another vendor": lambda places: with_token(token_of(of_another_vendor())),
    "a person of the vendor itself": lambda places: with_session(of_the_vendor(places)),
    "a token that has expired": lambda places: with_token(
        token_of(places.radiologist, days=-1)
    ),
    "a token that was revoked": lambda places: with_token(revoked(places.radiologist)),
    "a token of a closed account": lambda places: with_token(of_a_closed_account(places)),
    "a token of nobody": lambda places: with_token("0" * 64),
    OWN_TOKEN: lambda places: with_token(token_of(places.administrator)),
    "somebody whose role was taken": whose_role_was_taken,
}
