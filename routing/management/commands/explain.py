"""`manage.py explain STUDY_UID`: what happened to a study, and why."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub import audit
from hub.management import operator, usable_database
from routing.explaining import explain
from routing.models import Study


class Command(BaseCommand):
    """Print the whole way of a study, step by step, with times and reasons."""

    help = "Explain what happened to a study: every step, verdict, workitem and delivery."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The study, and its site where two sites have the same UID."""
        parser.add_argument("study_instance_uid")
        parser.add_argument("--site", default="", help="code of the site")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Explain every study of that UID, one for each site; the audit trail keeps who asked."""
        with usable_database():
            self._explain(options)

    def _explain(self, options: dict[str, Any]) -> None:
        studies = Study.objects.filter(study_instance_uid=options["study_instance_uid"])
        if options["site"]:
            studies = studies.filter(site__code=options["site"])
        if not studies:
            raise CommandError(
                f"no study {options['study_instance_uid']} has been received"
                + (f" for site {options['site']}" if options["site"] else "")
            )
        for study in studies.select_related("site", "order"):
            self.stdout.write("\n".join(explain(study)))
            audit.record(
                "study.viewed", actor=operator(), site=study.site, subject=str(study.uid)
            )
