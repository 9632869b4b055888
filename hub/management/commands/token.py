"""`manage.py token USERNAME`: prints a new API token, lists those there are, or ends them."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone
from knox.models import AuthToken

from hub import audit, tokens
from hub.management import member, operator
from hub.models import User


def _day(text: str) -> date | None:
    """A day to come, or None for never."""
    if text == "never":
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        why = f"expected a day such as 2027-01-31, or never; found {text}"
        raise ArgumentTypeError(why) from None
    if day <= timezone.localdate():
        raise ArgumentTypeError(f"expected a day to come, found {text}")
    return day


class Command(BaseCommand):
    help = (
        "Print a new API token for a user, of which the database keeps only the hash; "
        "with --list, the tokens there are; with --revoke, end all tokens of the user."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        default = timezone.localdate() + timedelta(days=settings.HUB_TOKEN_DAYS)
        parser.add_argument(
            "--expires", type=_day, default=default, metavar="DAY",
            help=f"the day on which it ends, or never; by default {default} (HUB_TOKEN_DAYS)",
        )  # fmt: skip
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument(
            "--list", action="store_true", help="tell the tokens of the user; print no new one"
        )
        instead.add_argument(
            "--revoke", action="store_true", help="end all tokens of the user; print no new one"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the token alone on its line; raise CommandError where there is no such user."""
        user = member(options["username"])
        if options["revoke"]:
            self._revoke(user)
        elif options["list"]:
            self._list(user)
        else:
            self._create(user, options["expires"])

    def _create(self, user: User, day: date | None) -> None:
        with transaction.atomic():
            row, token = AuthToken.objects.create(user=user, expiry=None)
            if day is not None:
                row.expiry = timezone.make_aware(datetime.combine(day, datetime.min.time()))
                row.save(update_fields=["expiry"])
            audit.record(
                "token_created", actor=operator(), subject=user.username,
                token_key=row.token_key, expires=f"{day or 'never'}",
            )  # fmt: skip
        self.stdout.write(token)

    def _list(self, user: User) -> None:
        for row in AuthToken.objects.filter(user=user).order_by("created"):
            event = tokens.last_used(row)
            used = f"{event.at:%F %H:%M}Z from {event.details['address']}" if event else "never"
            until = f"{timezone.localtime(row.expiry):%Y-%m-%d}" if row.expiry else "never"
            end = "expired" if tokens.is_expired(row) else "expires"
            line = f"{row.token_key}  made {row.created:%Y-%m-%d}  {end} {until}  last used {used}"
            self.stdout.write(line)

    @transaction.atomic
    def _revoke(self, user: User) -> None:
        tokens = AuthToken.objects.filter(user=user)
        keys = list(tokens.values_list("token_key", flat=True))
        tokens.delete()
        audit.record(
            "tokens_revoked", actor=operator(), subject=user.username, token_keys=keys
        )
        self.stdout.write(f"tokens of {user.username} ended: {len(keys)}")
