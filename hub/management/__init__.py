"""The command line of the hub: who types on it, for whom, and with which database."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.models import User


def operator() -> str:
    """Who runs the command, for the audit trail: the account of the operating system."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError, ImportError):  # a container may run under an id without a name
        return "command line"


def run_in_place(*words: str) -> None:
    """Run a command of manage.py in this process, as its first and last; it ends as that does."""
    from django.core.management import get_commands, load_command_class

    command = load_command_class(get_commands()[words[0]], words[0])
    command.run_from_argv(["manage.py", *words])


def member(username: str) -> User:
    """The active user of that name; raises CommandError, with the nearest name known."""
    from django.core.management.base import CommandError

    from hub.configuration.problems import nearest
    from hub.models import User

    with usable_database():
        user = User.objects.filter(username=username).first()
        if user is None:
            known = User.objects.values_list("username", flat=True)
            raise CommandError(f"no user is called {username}{nearest(username, known)}")
    if not user.is_active:
        raise CommandError(f"the account {username} is closed (active: false)")
    return user


@contextmanager
def usable_database() -> Iterator[None]:
    """Say plainly, as a CommandError, that the database is away or has not been migrated."""
    from django.core.management.base import CommandError
    from django.db import DatabaseError

    try:
        yield
    except DatabaseError as error:
        raise CommandError(f"the database cannot be used (migrated?): {error}") from error
