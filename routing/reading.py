"""What a reader may see of studies, and the trace that seeing leaves in the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from hub import audit
from hub.models import AuditEvent, Site
from routing.models import Delivery, Finding, Study, Transition, Verdict, Workitem
from routing.models.studies import StudyQuerySet
from routing.worklist import SHOWN

# one look at a page that refreshes itself is one look, not one a second
VISIT = timedelta(minutes=15)
# what of a question to the worklist looks for one patient
LOOK_UPS = ("q", "patient_id", "accession_number")
PRESENT, INDETERMINATE = "present", "indeterminate"


# What a row of the worklist tells of a Workitem: its manifest alone would take longer to read than
# all the rest of the page.
_OF_A_ROW = (
    "study", "version__version", "version__algorithm__code", "version__algorithm__name",
)  # fmt: skip


class SeveralSites(Exception):  # noqa: N818 (named by what failed)
    """The Study Instance UID exists at more than one site that the reader may see."""

    def __init__(self, codes: list[str]) -> None:
        super().__init__(", ".join(codes))
        self.codes = codes


def may_be_read() -> Q:
    """The Workitems whose findings stand on the worklist: none shadow, held, rejected, failed."""
    unreviewed = Q(write_back_mode="after_acceptance", review="")
    return Q(state__in=SHOWN) & ~Q(purpose="shadow") & ~unreviewed


def worklist(user: Any, *, sites: list[Site] | None = None) -> StudyQuerySet:
    """The studies of the user's sites in the order to read, with the findings to be shown.

    ``sites`` are those of visible_sites(), where the caller has asked for them already.
    """
    shown = (
        Workitem.objects.filter(may_be_read())
        .select_related("version__algorithm")
        .only(*_OF_A_ROW)
    )
    # By the keys of the sites, and without a join: so a database sees how few rows they are, and
    # walks along an index in the order to read instead of sorting all there is.
    theirs = [site.pk for site in (visible_sites(user) if sites is None else sites)]
    return (
        Study.objects.filter(site__in=theirs)
        .in_reading_order()
        .prefetch_related(
            "site",
            Prefetch(
                "workitems",
                queryset=shown.prefetch_related(Prefetch("findings", to_attr="to_show")),
                to_attr="to_read",
            ),
        )
    )


def whole_studies(user: Any) -> StudyQuerySet:
    """The studies of the user's sites with everything that a study page tells."""
    every = Workitem.objects.select_related("version__algorithm", "reviewed_by").order_by("pk")
    moves = Transition.objects.select_related(
        "workitem__version__algorithm", "delivery__node"
    ).order_by("at", "pk")
    verdicts = Verdict.objects.select_related("algorithm", "version").order_by("-revision", "pk")
    return worklist(user).prefetch_related(
        Prefetch("workitems", queryset=every.prefetch_related("findings")),
        Prefetch("transitions", queryset=moves),
        Prefetch("verdicts", queryset=verdicts),
        "set_aside",
        "series",
    )


def study_by_instance_uid(user: Any, study_instance_uid: str, *, site: str = "") -> Study | None:
    """The one study of this UID that the user may see; SeveralSites where a site must be named."""
    found = whole_studies(user).filter(study_instance_uid=study_instance_uid)
    if site:
        found = found.filter(site__code=site)
    studies = list(found[:50])
    if len(studies) > 1:
        raise SeveralSites(sorted(study.site.code for study in studies))
    return studies[0] if studies else None


def deliveries_of(study: Study) -> QuerySet[Delivery]:
    """What was to be told about a study, the newest revision first."""
    return (
        Delivery.objects.filter(workitem__study=study)
        .select_related("node", "workitem__version__algorithm")
        .order_by("-workitem__revision", "pk")
    )


def findings_to_read(study: Study) -> list[Finding]:
    """The findings that stand on the worklist for a study of worklist(), the gravest first."""
    # Lists that a Prefetch left there; unknown to the types.
    items: list[Any] = getattr(study, "to_read")  # noqa: B009
    return sorted((one for item in items for one in item.to_show), key=_gravity)


def findings_on_page(workitem: Workitem) -> list[Finding]:
    """The findings a study page shows of one Workitem: those to read, and those to accept."""
    is_open = workitem.write_back_mode != "after_acceptance" or workitem.review
    is_shown = (workitem.state in SHOWN and is_open) or workitem.state == Workitem.State.HELD
    if not is_shown or workitem.purpose == "shadow":
        return []
    return sorted(workitem.findings.all(), key=_gravity)


def _gravity(finding: Finding) -> tuple[bool, int, float]:
    order = {PRESENT: 0, INDETERMINATE: 1}
    return (not finding.is_critical, order.get(finding.status, 2), -(finding.probability or 0))


# -- the trace ---------------------------------------------------------------------------------
def note_worklist_seen(user: Any, studies: Iterable[Study], *, asked: Mapping[str, Any]) -> None:
    """Keep that the user saw the worklist of these studies' sites: once a visit and site.

    Who looks for a patient by name or number leaves more: each study that this showed.
    """
    shown = list(studies)
    sites = {study.site_id: study.site for study in shown}
    if not sites:
        return
    if any(asked.get(name) for name in LOOK_UPS):
        _note_looked_up(user, shown)
    seen = _seen_lately(user, "worklist.viewed").filter(site__in=sites)
    known = set(seen.values_list("site_id", flat=True))
    for pk, site in sites.items():
        if pk not in known:
            audit.record("worklist.viewed", actor=user, site=site)


def _note_looked_up(user: Any, shown: Iterable[Study]) -> None:
    lately = _seen_lately(user, "worklist.searched").values_list("details", flat=True)
    known = {uid for details in lately for uid in details["studies"]}
    found: dict[Site, list[str]] = {}
    for study in shown:
        if str(study.uid) not in known:
            found.setdefault(study.site, []).append(str(study.uid))
    for site, uids in found.items():
        audit.record("worklist.searched", actor=user, site=site, studies=uids)


def note_study_seen(user: Any, study: Study, *, again: bool = False) -> None:
    """Keep that the user saw a study; ``again`` is a page refreshing itself within one visit."""
    subject = str(study.uid)
    seen = _seen_lately(user, "study.viewed").filter(subject=subject)
    if not (again and seen.exists()):
        audit.record("study.viewed", actor=user, site=study.site, subject=subject)


def _seen_lately(user: Any, action: str) -> QuerySet[AuditEvent]:
    since = timezone.now() - VISIT
    return AuditEvent.objects.filter(actor=user.username, action=action, at__gte=since)


def visible_sites(user: Any) -> list[Site]:
    """The sites whose patients the user may see, by name."""
    return list(Site.objects.visible_to(user).order_by("name"))
