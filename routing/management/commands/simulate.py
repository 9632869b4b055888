"""`manage.py simulate`: a day of arrivals, how long they wait, and what GPUs they need."""

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
        """The plans, what is otherwise than in them, and whether the answer is for a program."""
        names = ", ".join(plan.shipped())
        parser.add_argument(
            "plan", nargs="*", default=list(plan.shipped()),
            help=f"a YAML file (docs/how-to/plan-capacity.md), or one of {names}; none: all these",
        )  # fmt: skip
        parser.add_argument("--gpus", type=int, help="how many there are, instead of the plan's")
        parser.add_argument(
            "--examinations-per-year", type=int, metavar="NUMBER", help="of all sites together"
        )
        parser.add_argument(
            "--stat", type=float, metavar="PART", help="urgent part of what comes, from 0 to 1"
        )
        parser.add_argument("--days", type=int, help="days, one after the other")
        parser.add_argument("--seed", type=int, help="another seed is another day of that kind")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Read, simulate, print; every problem of the plans is told before anything is played."""
        names = ("gpus", "examinations_per_year", "stat", "days", "seed")
        changed = {name: options[name] for name in names if options[name] is not None}
        found = [self._read(one, changed) for one in options["plan"]]
        said = [capacity.answer(one) for one in found] if options["json"] else []
        if said:
            told: Any = [one.as_json() for one in said]
            self.stdout.write(json.dumps(told[0] if len(told) == 1 else told, indent=2))
            return
        for number, one in enumerate(found):
            lines = capacity.answer(one).lines()
            self.stdout.write("\n" * bool(number) + "\n".join(lines))
            self.stdout.flush()

    def _read(self, name: str, changed: dict[str, Any]) -> plan.Plan:
        try:
            return plan.read(plan.shipped().get(name, Path(name)), changed)
        except OSError as fault:
            raise CommandError(f"{name}: {fault.strerror}") from fault
        except plan.PlanInvalid as fault:
            told = "\n".join(f"{name}: {one}" for one in fault.problems)
            raise CommandError(told) from fault
