"""Lets people of a vendor in: invitations with a code that ends, accounts that see one company."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from knox.models import AuthToken

from hub import audit
from hub.configuration import identifiers
from hub.models import User
from vendors.models import Invitation, Vendor, VendorMember

VALID_FOR = timedelta(days=14)
_CODE = re.compile(r"[0-9A-Za-z_-]{40,60}")


class InvitationRefused(Exception):
    """No account is made: ``field`` and the reason, for people."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@transaction.atomic
def invite(vendor: Vendor, *, name: str, email: str, by: User) -> tuple[Invitation, str]:
    """An invitation and its code, which is told once: the database keeps the hash alone."""
    code = secrets.token_urlsafe(32)
    now = timezone.now()
    row = Invitation.objects.create(
        vendor=vendor, name=name, email=email, digest=digest_of(code), invited_by=str(by),
        invited_at=now, expires_at=now + VALID_FOR,
    )  # fmt: skip
    audit.record("vendor.invited", actor=by, subject=vendor.code, email=email)
    return row, code


@transaction.atomic
def accept(code: str, *, username: str, password: str) -> User:
    """Make the account that an invitation is for; a code that is wrong, used or over is one."""
    row = _open_invitation(code)
    if what := identifiers.username(username):
        raise InvitationRefused("username", _("expected %(what)s") % {"what": what})
    if len(username) > 150 or User.objects.filter(username=username).exists():
        raise InvitationRefused("username", _("this user name is taken"))
    user = User(username=username, name=row.name, email=row.email)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvitationRefused("password", " ".join(error.messages)) from error
    user.set_password(password)
    user.save()
    VendorMember.objects.create(user=user, vendor=row.vendor)
    row.accepted_at, row.user = timezone.now(), user
    row.save()
    audit.record("vendor.joined", actor=user, subject=row.vendor.code, invited_by=row.invited_by)
    return user


@transaction.atomic
def withdraw(invitation: Invitation, *, by: User) -> None:
    """End an invitation that nobody has taken up."""
    if invitation.accepted_at is None and invitation.withdrawn_at is None:
        invitation.withdrawn_at = timezone.now()
        invitation.save()
        audit.record(
            "vendor.invitation_withdrawn", actor=by, subject=invitation.vendor.code,
            email=invitation.email,
        )  # fmt: skip


@transaction.atomic
def dismiss(member: VendorMember, *, by: User) -> None:
    """End the access of a person of a vendor: the account is closed, and its tokens end."""
    AuthToken.objects.filter(user=member.user).delete()
    User.objects.filter(pk=member.user_id).update(is_active=False)
    audit.record(
        "vendor.dismissed", actor=by, subject=member.vendor.code, username=member.user.username
    )
    member.delete()


def issue_token(user: User, *, days: int) -> tuple[AuthToken, str]:
    """A token for programs of a person of a vendor; it is told once, and ends."""
    row, token = AuthToken.objects.create(user=user, expiry=timedelta(days=days))
    audit.record("token_made", actor=user, token_key=row.token_key, expires=str(row.expiry))
    return row, token


def end_token(user: User, token_key: str) -> bool:
    """End one of the user's own tokens; False where there is none of that key."""
    if not AuthToken.objects.filter(user=user, token_key=token_key).delete()[0]:
        return False
    audit.record("token_ended", actor=user, token_key=token_key)
    return True


def digest_of(code: str) -> str:
    """What is kept of a code: it has 256 bits, so a plain hash cannot be turned back."""
    return hashlib.sha256(code.encode()).hexdigest()


def _open_invitation(code: str) -> Invitation:
    wrong = InvitationRefused("code", _("this code is wrong, was used, or is over"))
    if not _CODE.fullmatch(code):
        raise wrong
    row = (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("vendor")
        .filter(digest=digest_of(code), accepted_at=None, withdrawn_at=None)
        .filter(expires_at__gt=timezone.now())
        .first()
    )
    if row is None:
        raise wrong
    return row
