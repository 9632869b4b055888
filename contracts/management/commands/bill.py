"""`manage.py bill`: turn the usage up to the end of a month into invoices and credit notes."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contracts.billing.running import NotBilledError, run
from hub.management import operator, usable_database


class Command(BaseCommand):
    """Bill a month; with --dry-run show what would be issued."""

    help = "Bill a month: issue what is due by its end, or with --dry-run show it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Which month, and under which agreements."""
        parser.add_argument("--period", required=True, metavar="MONTH", help="such as 2026-06")
        parser.add_argument("--dry-run", action="store_true", help="show, and issue nothing")
        parser.add_argument(
            "--framework", action="append", metavar="CODE", help="only this one; may be repeated"
        )
        parser.add_argument(
            "--fingerprint", default="", help="that of a dry run: issue just what it showed"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print each document, then what they come to."""
        try:
            period = date.fromisoformat(f"{options['period']}-01")
        except ValueError as error:
            raise CommandError(
                f"--period: expected a month such as 2026-06, found {options['period']}"
            ) from error
        with usable_database():
            try:
                outcome = run(
                    period, by=operator(), is_dry=options["dry_run"],
                    frameworks=options["framework"], fingerprint=options["fingerprint"],
                )  # fmt: skip
            except NotBilledError as fault:
                raise CommandError(f"not billed: {fault}") from fault
        for one, lines in outcome.invoices:
            number = "-" if outcome.is_dry else one.number
            self.stdout.write(
                f"{one.kind}  {number}  {one.call_off.code}  {one.organisation.code}  "
                f"{len(lines)} lines  net {one.net}  vat {one.vat}  gross {one.gross}"
            )
        for problem in outcome.problems:
            self.stderr.write(f"cannot be sent: {problem}")
        what = "would be issued" if outcome.is_dry else "issued"
        self.stdout.write(
            f"{len(outcome.invoices)} {what} for {period:%Y-%m}, {outcome.events} events, "
            f"fingerprint {outcome.fingerprint}"
        )
