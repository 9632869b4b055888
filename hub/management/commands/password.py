"""`manage.py password USERNAME`: sets a password read from standard input."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from hub import audit
from hub.management import member, operator


class Command(BaseCommand):
    help = "Set the password of a user from the first line of standard input."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        """Set it; raise CommandError where the user is unknown or the password too weak."""
        user = member(options["username"])
        password = _read()
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError("password refused: " + " ".join(error.messages)) from error
        with transaction.atomic():
            user.set_password(password)
            user.save(update_fields=["password"])
            audit.record("password_set", actor=operator(), subject=user.username)
        self.stdout.write(f"password of {user.username} set")


def _read() -> str:
    """The password: typed unseen at a terminal, else the first line."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Password again: ") != password:
            raise CommandError("password refused: the two entries differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("password refused: expected one line on standard input, found nothing")
    return password
