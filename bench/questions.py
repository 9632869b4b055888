"""What people ask the worklist, and what the hub asks itself; Django must have been set up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils import timezone
from prometheus_client import generate_latest

from bench.plans import plans_of
from bench.worklist import Asked
from hub.models import Membership, Node, Organisation, User
from routing import live, metrics, rounds, sweeping, tidying
from routing.models import Study
from routing.paging import Place

# a user of one trust of two hospitals, and one of all nine
USERS = ("trust", "everywhere")
_TRUST, _SITE = "ous", "ulleval"


def sign_in(who: str) -> str:
    """The cookie of that user, who is made where there is none."""
    user, _is_new = User.objects.get_or_create(username=f"bench.{who}")
    trust = Organisation.objects.get(code=_TRUST) if who == "trust" else None
    for role in ("radiologist", "administrator"):
        Membership.objects.get_or_create(user=user, role=role, organisation=trust, site=None)
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def of_people() -> list[Asked]:
    """Pages and API, with filters, searches and later pages; of one trust and of all."""
    here = Study.objects.filter(site__code=_SITE)
    read, unread = here.filter(is_read=True), here.unread()
    some = read[read.count() // 2]
    waiting = unread.in_reading_order()[unread.count() // 2]
    after_all, after = (Place(500, one.reading_band, one.read_by, one.pk)
                        for one in (some, waiting))  # fmt: skip
    paths = {
        "to read": "/",
        "to read, a later page": f"/?after={after}",
        "to read, CT": "/?modality=CT",
        "to read, STAT": "/?priority=STAT",
        "to read, to accept": "/?ai_state=held",
        "to read, a name": "/?q=berg",
        "to read, a number": f"/?q={waiting.accession_number}",
        "all": "/?state=all",
        "all, a later page": f"/?state=all&after={after_all}",
        "all, the page before": f"/?state=all&before={after_all}",
        "all, a name": "/?state=all&q=bergsen+kari",
        "all, two letters": "/?state=all&q=li",
        "all, a name that nobody has": "/?state=all&q=zzzzz",
        "all, a number": f"/?state=all&q={some.accession_number}",
        "all, CT": "/?state=all&modality=CT",
        "all, NM": "/?state=all&modality=NM",
        "all, a modality that nobody has": "/?state=all&modality=XA",
        "all, AI failed": "/?state=all&ai_state=failed",
        "all, STAT": "/?state=all&priority=STAT",
        "all, one site": f"/?state=all&site={_SITE}",
        "a study that was read": f"/studies/{some.uid}/",
        "a study to read": f"/studies/{waiting.uid}/",
        "operations": "/operations/",
        "API, to read": "/api/v1/worklist/",
        "API, accession number": f"/api/v1/worklist/?state=all&accession_number="
        f"{some.accession_number}",
        "API, patient ID": f"/api/v1/worklist/?state=all&patient_id={some.patient_id}",
        "API, a study": f"/api/v1/studies/{some.study_instance_uid}/?site={_SITE}",
        "API, dead letters": "/api/v1/dead-letters/",
    }
    return [Asked(name, path, who) for who in USERS for name, path in paths.items()]


def of_the_hub() -> dict[str, Callable[[], object]]:
    """What is asked every few seconds, whoever works."""
    sites = set(Study.objects.values_list("site", flat=True).distinct()[:50])
    node = Node.objects.filter(protocol=Node.Protocol.DICOM).earliest("pk")
    return {
        "sweep": sweeping.sweep,
        "tidy": tidying.tidy,
        "changes for live pages": live.recent_marks,
        "what a live page missed": lambda: live._missed(
            sites, timezone.now() - timedelta(seconds=30)
        ),
        "next of the outbox": lambda: list(rounds.due(node)[:1]),
        "metrics": lambda: generate_latest(metrics.registry()),
    }


def plans(asked: Asked) -> dict[str, Any]:
    """The slowest plans of a question, and which growing tables any of them reads whole."""
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.get(username=f"bench.{asked.who}"))
    return plans_kept(lambda: client.get(asked.path), most=1)


def plans_kept(ask: Callable[[], object], *, most: int) -> dict[str, Any]:
    """As JSON: what all statements took in the database, the slowest, and what was read whole."""
    found = plans_of(ask)
    return {
        "database_milliseconds": round(sum(plan.milliseconds for plan in found), 2),
        "statements": len(found),
        "scanned": sorted({name for plan in found for name in plan.scanned}),
        "slowest": [{"statement": one.statement, "plan": one.text} for one in found[:most]],
    }
