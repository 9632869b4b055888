"""`manage.py import FOLDER`: brings in what another hub exported of an organisation."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hub.configuration.importing import ImportRefused, import_organisation
from hub.configuration.problems import SetUpRefused
from hub.management import operator, usable_database


class Command(BaseCommand):
    help = "Bring in a folder that `export --organisation` wrote: all of it or nothing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="FOLDER")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was added; raise CommandError (exit code 1) with what is wrong."""
        try:
            with usable_database():
                taken = import_organisation(Path(options["folder"]), by=operator())
        except (ImportRefused, SetUpRefused) as refused:
            raise CommandError(str(refused)) from refused
        for warning in taken.outcome.warnings:
            self.stderr.write(f"warning: {warning}")
        for line in taken.outcome.lines:
            self.stdout.write(line)
        for name, count in taken.added.items():
            self.stdout.write(f"{name}: {count} added, {taken.there[name]} there already")
