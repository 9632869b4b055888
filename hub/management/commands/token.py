"""`manage.py token USERNAME`: prints a new API token, or with --revoke ends all that there are."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from knox.models import AuthToken

from hub import audit
from hub.management import member, operator
from hub.models import User


class Command(BaseCommand):
    help = (
        "Print a new API token for a user, of which the database keeps only the hash; "
        "with --revoke, end all tokens of the user."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--revoke", action="store_true", help="end all tokens of the user; print no new one"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the token alone on its line; raise CommandError where there is no such user."""
        user = member(options["username"])
        if options["revoke"]:
            self._revoke(user)
            return
        with transaction.atomic():
            row, token = AuthToken.objects.create(user=user)
            audit.record(
                "token_created", actor=operator(), subject=user.username, token_key=row.token_key
            )
        self.stdout.write(token)

    @transaction.atomic
    def _revoke(self, user: User) -> None:
        tokens = AuthToken.objects.filter(user=user)
        keys = list(tokens.values_list("token_key", flat=True))
        tokens.delete()
        audit.record(
            "tokens_revoked", actor=operator(), subject=user.username, token_keys=keys
        )
        self.stdout.write(f"tokens of {user.username} ended: {len(keys)}")
