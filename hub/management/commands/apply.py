"""`manage.py apply FILE...`: makes the database agree with the set-up files."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from hub.configuration.applying import Outcome, apply
from hub.configuration.planning import Action
from hub.configuration.problems import SetUpRefused
from hub.management import operator


class Command(BaseCommand):
    help = "Make the database agree with set-up files: all of it or nothing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a set-up file; - is stdin")
        parser.add_argument("--dry-run", action="store_true", help="say what would change")
        parser.add_argument(
            "--prune", action="store_true", help="remove what is not in the files"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the plan; raise CommandError (exit code 1) with every problem."""
        is_dry_run = options["dry_run"]
        try:
            outcome = apply(
                options["files"], actor=operator(),
                is_dry_run=is_dry_run, is_pruning=options["prune"],
            )  # fmt: skip
        except SetUpRefused as refused:
            raise CommandError(str(refused)) from refused
        except DatabaseError as error:
            raise CommandError(f"the database cannot be used (migrated?): {error}") from error
        for warning in outcome.warnings:
            self.stderr.write(f"warning: {warning}")
        self.stdout.write("\n".join(_told(outcome, is_dry_run=is_dry_run)))


def _told(outcome: Outcome, *, is_dry_run: bool) -> list[str]:
    if not outcome.changes:
        return ["nothing to change"]
    counts = Counter(change.action for change in outcome.changes)
    done = "dry run, nothing was changed" if is_dry_run else "applied"
    summary = ", ".join(f"{counts[action]} to {action}" for action in Action if counts[action])
    return [*outcome.lines, f"{done}: {summary}"]
