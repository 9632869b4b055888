"""Changes the rows of a running hub from another process: ``python -m tests.browser.scene ...``."""

from __future__ import annotations

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
django.setup()

from django.db import transaction  # noqa: E402

from marketplace.models import AlgorithmVersion  # noqa: E402
from routing.models import Study  # noqa: E402
from tests.browser.hub_process import PASSWORD  # noqa: E402
from tests.builders import mornings, worklists  # noqa: E402


def morning() -> None:
    """Fourteen studies of nine trusts, their trouble, and who may sign in."""
    made = mornings.a_morning()
    mornings.trouble(made)
    worklists.people(made.sites, password=PASSWORD)


def finding(patient: str) -> None:
    """An algorithm finds a haemorrhage in the study of the patient."""
    study = Study.objects.get(patient_name__startswith=patient)
    version = AlgorithmVersion.objects.get(algorithm__code="ich-triage")
    item = study.workitems.filter(version=version).first() or worklists.workitem_on(
        study, version
    )
    item.state = "written_back"
    item.save()
    worklists.finding_of(item, probability=0.93, urgency="stat")
    study.save()


if __name__ == "__main__":
    with transaction.atomic():
        {"morning": morning, "finding": finding}[sys.argv[1]](*sys.argv[2:])
