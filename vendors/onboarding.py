"""The checklist of a vendor: what is handed in with its evidence, and what was decided on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from hub import audit
from hub.models import User
from vendors import filing, legal
from vendors.filing import Brought
from vendors.models import OnboardingItem, SubProcessor, Vendor

Kind = OnboardingItem.Kind
State = OnboardingItem.State
# items that end: without a last day they cannot be accepted
ENDING = (Kind.CERTIFICATE, Kind.INSURANCE)


class OnboardingRefused(Exception):
    """An item may not be handed in or decided so: ``field`` and the rule, for people."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown for one item: where it lies, who is in charge, of what day, until when."""

    evidence: str = ""
    sha256: str = ""
    owner: str = ""
    dated: date | None = None
    due: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class Processor:
    """Somebody else who handles personal data; ``transfer_basis`` where that is outside the EEA."""

    name: str
    country: str
    purpose: str
    transfer_basis: str = ""


def checklist(vendor: Vendor) -> list[OnboardingItem]:
    """Every item in its order; one that nobody has touched is an unsaved row, and open."""
    held = {row.kind: row for row in vendor.onboarding.all()}
    return [held.get(kind) or OnboardingItem(vendor=vendor, kind=kind) for kind in Kind]


def is_complete(items: list[OnboardingItem], *, on: date) -> bool:
    """Whether everything is accepted and still valid."""
    return all(
        one.state == State.ACCEPTED and (one.valid_until is None or one.valid_until >= on)
        for one in items
    )


@transaction.atomic
def submit(
    vendor: Vendor, kind: Kind, shown: Shown, *, by: User, brought: Brought | None = None
) -> OnboardingItem:
    """Hand in an item, with its file where there is one; what was decided before is open again.

    Raises OnboardingRefused, FileRefused; then nothing is handed in.
    """
    if brought is not None:
        filing.hand_in(vendor, kind, brought, by=by)
    if not shown.evidence.strip() and not vendor.files.filter(item=kind).exists():
        raise OnboardingRefused(
            "evidence", _("expected where the evidence is found, or a file of it")
        )
    item, _is_new = OnboardingItem.objects.update_or_create(
        vendor=vendor,
        kind=kind,
        defaults={
            **asdict(shown), "state": State.SUBMITTED, "submitted_by": str(by),
            "submitted_at": timezone.now(), "decided_by": "", "decided_on": None, "comment": "",
        },
    )  # fmt: skip
    audit.record(
        "onboarding.submitted", actor=by, subject=vendor.code, item=kind, evidence=shown.evidence
    )
    return item


@transaction.atomic
def decide(
    vendor: Vendor, kind: Kind, *, is_accepted: bool, comment: str, by: User
) -> OnboardingItem:
    """Accept what was handed in, or return it with the reason; raises OnboardingRefused."""
    item = OnboardingItem.objects.select_for_update().filter(vendor=vendor, kind=kind).first()
    if item is None or item.state == State.OPEN:
        raise OnboardingRefused("item", _("nothing was handed in"))
    if is_accepted:
        _demand_acceptable(vendor, item)
    elif not comment.strip():
        raise OnboardingRefused("comment", _("expected why it is returned"))
    item.state = State.ACCEPTED if is_accepted else State.RETURNED
    item.decided_by, item.decided_on, item.comment = str(by), timezone.localdate(), comment
    item.save()
    audit.record(
        "onboarding.decided", actor=by, subject=vendor.code, item=kind, is_accepted=is_accepted,
        comment=comment,
    )  # fmt: skip
    return item


def missing(owner: str | None, dated: object) -> list[tuple[str, str]]:
    """(field, rule) of what an item lacks that stands with somebody in charge and a day."""
    faults = []
    if not (owner or "").strip():
        faults.append(("owner", _("expected who is in charge, because it is accepted")))
    if not dated:
        faults.append(("dated", _("expected the day of the document, because it is accepted")))
    return faults


def _demand_acceptable(vendor: Vendor, item: OnboardingItem) -> None:
    """Raise OnboardingRefused where an item lacks what its rule asks for."""
    kind, valid_until = item.kind, item.valid_until
    for field, rule in missing(item.owner, item.dated):
        raise OnboardingRefused(field, rule)
    if kind == Kind.COMPANY and not vendor.srn:
        raise OnboardingRefused(
            "srn", _("expected the SRN of the manufacturer (MDR Art. 31) on record")
        )
    if kind in ENDING and valid_until is None:
        raise OnboardingRefused("valid_until", _("expected the last day on which it holds"))
    if kind == Kind.DPA:
        _demand_transfer_bases(vendor)


@transaction.atomic
def name_sub_processors(
    vendor: Vendor, processors: list[Processor], *, by: User
) -> list[SubProcessor]:
    """Put the list in place of the one before; an agreement that was accepted is open again."""
    for one in processors:
        if problem := transfer_problem(one.country, one.transfer_basis):
            raise OnboardingRefused("transfer_basis", f"{one.name}: {problem}")
    vendor.sub_processors.all().delete()
    rows = SubProcessor.objects.bulk_create(
        SubProcessor(vendor=vendor, **asdict(one)) for one in processors
    )
    reopened = vendor.onboarding.filter(kind=Kind.DPA, state=State.ACCEPTED)
    reopened.update(
        state=State.SUBMITTED, decided_by="", decided_on=None,
        comment=_("The sub-processors changed."),
    )  # fmt: skip
    audit.record(
        "onboarding.sub_processors", actor=by, subject=vendor.code,
        named=[f"{one.name} ({one.country})" for one in processors],
    )  # fmt: skip
    return rows


def transfer_problem(country: str, basis: str) -> str:
    """What is wrong with the basis of a transfer (GDPR chapter V); nothing where it is fine."""
    today = timezone.localdate()
    if country in legal.countries("eea-countries", on=today):
        return ""
    if basis == "adequacy" and country not in legal.countries("adequacy-countries", on=today):
        return _("there is no adequacy decision for %(country)s") % {"country": country}
    if not basis:
        return _("%(country)s lies outside of the EEA: expected the basis of the transfer") % {
            "country": country
        }
    return ""


def _demand_transfer_bases(vendor: Vendor) -> None:
    for row in vendor.sub_processors.all():
        if problem := transfer_problem(row.country, row.transfer_basis):
            raise OnboardingRefused("sub_processors", f"{row.name}: {problem}")
