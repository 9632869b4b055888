"""`manage.py token USERNAME`: prints a new API token, which nobody can print again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from knox.models import AuthToken

from hub import audit
from hub.management import member, operator


class Command(BaseCommand):
    help = "Print a new API token for a user; the database keeps only its hash."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the token alone on its line; raise CommandError where there is no such user."""
        user = member(options["username"])
        with transaction.atomic():
            row, token = AuthToken.objects.create(user=user)
            audit.record(
                "token_created", actor=operator(), subject=user.username, token_key=row.token_key
            )
        self.stdout.write(token)
