"""`manage.py export [FILE]`: writes the set-up, or all that one organisation owns."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from hub.configuration import belongings, reference
from hub.configuration.exporting import export_text, export_to
from hub.configuration.problems import nearest
from hub.management import operator
from hub.models import Organisation


class Command(BaseCommand):
    help = (
        "Write the set-up as YAML: to stdout, or to FILE with the manifests beside it; with "
        "--organisation, all that one organisation owns, to a folder."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", metavar="FILE", help="a file, or a folder")
        other = parser.add_mutually_exclusive_group()
        other.add_argument("--schema", action="store_true", help="the JSON Schema of the file")
        other.add_argument(
            "--organisation", metavar="CODE", help="all that it owns: set-up, usage, audit trail"
        )
        other.add_argument("--fields", action="store_true", help="all fields as Markdown tables")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print or write; raise CommandError where a file cannot be written."""
        target = Path(options["file"]) if options["file"] not in (None, "-") else None
        try:
            if options["organisation"]:
                self._export(options["organisation"], target)
            elif options["schema"] or options["fields"]:
                self._tell(_reference(is_schema=options["schema"]), target)
            elif target is None:
                self.stdout.write(export_text(), ending="")
            else:
                for path in export_to(target):
                    self.stdout.write(f"wrote {path}")
        except DatabaseError as error:
            raise CommandError(f"the database cannot be used (migrated?): {error}") from error
        except OSError as error:
            raise CommandError(f"{error.filename}: cannot be written: {error.strerror}") from error

    def _export(self, code: str, folder: Path | None) -> None:
        organisation = Organisation.objects.filter(code=code).first()
        if organisation is None:
            known = Organisation.objects.values_list("code", flat=True)
            raise CommandError(f"no organisation is called {code}{nearest(code, known)}")
        if folder is None or folder.is_file():
            raise CommandError("expected a folder to write to, after --organisation CODE")
        for path in belongings.export_organisation(organisation, folder, by=operator()):
            self.stdout.write(f"wrote {path}")

    def _tell(self, text: str, target: Path | None) -> None:
        if target is None:
            self.stdout.write(text, ending="")
        else:
            target.write_text(text, encoding="utf-8")
            self.stdout.write(f"wrote {target}")


def _reference(*, is_schema: bool) -> str:
    if is_schema:
        return json.dumps(reference.schema(), indent=2, ensure_ascii=False) + "\n"
    return reference.tables()
