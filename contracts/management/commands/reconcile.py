"""`manage.py reconcile`: hold a vendor's own invoice against what was metered and rated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contracts.billing.claims import ClaimNotReadError
from contracts.billing.reconciling import NotReconciledError, reconcile
from hub.management import operator, usable_database


class Command(BaseCommand):
    """Reconcile one file; its number is taken once."""

    help = "Compare a vendor's own invoice (CSV or UBL) with what was metered, and keep it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Which file."""
        parser.add_argument("file", type=Path, help="CSV in the form of our specification, or UBL")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print each finding: matched, missing, extra or differing."""
        try:
            content = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        with usable_database():
            try:
                invoice, found = reconcile(content, by=operator())
            except (ClaimNotReadError, NotReconciledError) as fault:
                raise CommandError(str(fault)) from fault
        for broken in invoice.faults or ():
            self.stderr.write(f"warning: {broken}")
        for one in found:
            call_off, algorithm, site, month = one.place
            self.stdout.write(
                f"{one.status:<9}  {call_off}  {algorithm}  {site}  {month:%Y-%m}  "
                f"due {one.due.quantity} = {one.due.amount:.2f}, "
                f"claimed {one.claimed.quantity} = {one.claimed.amount:.2f}"
            )
        self.stdout.write(f"{invoice.number}: {len(found)} compared")
