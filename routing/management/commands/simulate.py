"""`manage.py simulate PLAN.yaml`: a day of arrivals, how long they wait, what GPUs they need."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from routing.planning import capacity, plan


class Command(BaseCommand):
    """Simulate a day with the hub's own scheduler; reads no database and changes nothing."""

    help = "Simulate a day of arrivals: waiting times, use of GPUs, GPUs that the targets need."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The plan, and whether the answer is for a program."""
        parser.add_argument("plan", help="a YAML file; see docs/how-to/plan-capacity.md")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Read, simulate, print; every problem of the plan is told at once."""
        try:
            found = plan.read(Path(options["plan"]))
        except OSError as fault:
            raise CommandError(f"{options['plan']}: {fault.strerror}") from fault
        except plan.PlanInvalid as fault:
            told = "\n".join(f"{options['plan']}: {one}" for one in fault.problems)
            raise CommandError(told) from fault
        said = capacity.answer(found)
        if options["json"]:
            self.stdout.write(json.dumps(said.as_json(), indent=2))
        else:
            self.stdout.write("\n".join(said.lines()))
