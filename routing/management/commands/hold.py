"""`manage.py hold STUDY_UID`: keeps a study, whatever the retention of its site."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.management import operator, usable_database
from routing.holding import hold
from routing.models import Study


class Command(BaseCommand):
    """Set or lift the legal hold of a study."""

    help = "Keep a study for as long as it is on legal hold; --lift ends that."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The study, its site where two have the same UID, and the reason."""
        parser.add_argument("study_instance_uid")
        parser.add_argument("--site", default="", help="code of the site")
        parser.add_argument("--lift", action="store_true", help="it need not be kept any more")
        parser.add_argument(
            "--why", required=True, help="for the audit trail; no name of a patient"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Hold the one study meant; raise CommandError where it is none, or several."""
        with usable_database():
            studies = Study.objects.filter(study_instance_uid=options["study_instance_uid"])
            if options["site"]:
                studies = studies.filter(site__code=options["site"])
            found = list(studies.select_related("site")[:2])
            if len(found) != 1:
                raise CommandError(
                    "two sites have that study: say which with --site" if found
                    else f"there is no study {options['study_instance_uid']}"
                )  # fmt: skip
            is_held = not options["lift"]
            is_new = hold(found[0], is_held=is_held, why=options["why"], by=operator())
        state = "on legal hold" if is_held else "no longer on legal hold"
        self.stdout.write(f"{found[0].study_instance_uid} is {'' if is_new else 'already '}{state}")
