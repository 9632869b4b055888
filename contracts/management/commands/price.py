"""`manage.py price SETUP.yaml... USAGE.json`: what a usage would cost; no database is touched."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from contracts.simulation import simulate, terms_of_files
from contracts.usage_rows import UsageRefused
from hub.configuration.problems import SetUpRefused


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        told = {"what": _("a date such as 2026-01-31"), "found": text}
        raise ArgumentTypeError(_("expected %(what)s, found %(found)s") % told) from None


class Command(BaseCommand):
    help = "Print, as JSON, the invoices that a usage would give under set-up files."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("setup", nargs="+", metavar="SETUP", help="a set-up file")
        parser.add_argument("usage", metavar="USAGE", help="a list of usage; - is stdin")
        parser.add_argument(
            "--until", type=_day, metavar="DAY",
            help="the last day that is charged; left out: the end of the contract year",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the answer; raise CommandError (exit code 1) with every problem."""
        try:
            terms = terms_of_files(options["setup"])
            answer = simulate(terms, _usage(options["usage"]), until=options["until"])
        except SetUpRefused as refused:
            raise CommandError(str(refused)) from refused
        except UsageRefused as refused:
            faults = "\n".join(f"{options['usage']}: {fault}" for fault in refused.faults)
            raise CommandError(faults) from refused
        self.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False))


def _usage(name: str) -> Any:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return json.loads(raw)
    except OSError as error:
        text = _("expected a file that can be read: %(why)s") % {"why": error.strerror}
        raise CommandError(f"{name}: {text}") from error
    except (ValueError, RecursionError) as error:
        text = _("expected JSON: %(why)s") % {"why": error}
        raise CommandError(f"{name}: {text}") from error
