"""Changes an agreement after it was signed: amendments, lots, further suppliers; each is audited.

An amendment that was noted stays as it is. What goes beyond the law is told and not refused:
whether it is a new procurement, people decide. ``of`` is the revision that is changed: EntryChanged
where it is another by now (seen_agreements).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from contracts import call_offs, seen_agreements, utilisation
from contracts.models import (
    Amendment,
    CallOff,
    FrameworkAgreement,
    FrameworkSupplier,
    Lot,
    Procedure,
)
from hub import audit
from hub.configuration.entries import ANY
from vendors.models import Vendor


class ChangeRefused(ValueError):
    """The agreement cannot be changed so; ``field`` is the part that cannot be."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Agreed:
    """What an amendment says: when it was agreed, why (BT-200), and what is the value after it."""

    agreed: date
    reason: str
    value_after: Decimal
    description: str = ""
    notice: str = ""


@transaction.atomic
def amend(
    framework: FrameworkAgreement, said: Agreed, *, by: Any, of: str = ANY
) -> Amendment:
    """Note an amendment with the next number; its value before is that after the one before."""
    seen_agreements.lock(framework, of=of)
    last = framework.amendments.order_by("-number").first()
    if said.agreed < (last.agreed if last else framework.valid_from):
        raise ChangeRefused(
            "agreed",
            _("expected a day from %(day)s on")
            % {"day": last.agreed if last else framework.valid_from},
        )
    if said.reason not in Amendment.Reason.values:
        raise ChangeRefused("reason", _("expected a reason of eForms BT-200"))
    made = Amendment.objects.create(
        framework=framework,
        number=(framework.amendments.aggregate(Max("number"))["number__max"] or 0) + 1,
        value_before=last.value_after if last else framework.estimated_value,
        **asdict(said),
    )  # fmt: skip
    audit.record(
        "framework_amended", actor=by, subject=framework.code, number=made.number,
        reason=said.reason, before=str(made.value_before), after=str(said.value_after),
    )  # fmt: skip
    return made


@transaction.atomic
def set_lot(
    framework: FrameworkAgreement,
    *,
    code: str,
    title: str,
    estimated_value: Decimal | None,
    maximum_value: Decimal | None,
    by: Any,
    of: str = ANY,
) -> Lot:
    """Add a lot, or say of one what it is now; its maximum never falls below what it binds."""
    seen_agreements.lock(framework, of=of)
    lot = framework.lots.filter(code=code).first() or Lot(framework=framework, code=code)
    lot.title = title
    lot.estimated_value, lot.maximum_value = estimated_value, maximum_value
    lot.save()
    held = utilisation.of_lot(lot)
    if held is not None and held.headroom < 0:
        raise ChangeRefused(
            "maximum_value",
            _("expected at least %(used)s, which call-offs have bound")
            % {"used": call_offs.amount(held.used)},
        )
    audit.record(
        "lot_set", actor=by, subject=framework.code, lot=code, maximum=str(maximum_value or "")
    )
    return lot


@transaction.atomic
def remove_lot(
    framework: FrameworkAgreement, *, code: str, by: Any, of: str = ANY
) -> None:
    """Take away a lot that nothing was called off from, competed for, or named with."""
    seen_agreements.lock(framework, of=of)
    used = (
        CallOff.objects.filter(framework=framework, lot=code).exists()
        or Procedure.objects.filter(framework=framework, lot=code).exists()
        or framework.suppliers.filter(lot=code).exists()
    )
    if used:
        raise ChangeRefused(
            "code", _("%(lot)s has call-offs, competitions or suppliers") % {"lot": code}
        )
    if not framework.lots.filter(code=code).delete()[0]:
        raise ChangeRefused("code", _("expected a lot of %(name)s") % {"name": framework.code})
    audit.record("lot_removed", actor=by, subject=framework.code, lot=code)


@transaction.atomic
def add_supplier(
    framework: FrameworkAgreement, *, vendor: Vendor, lot: str, rank: int | None, by: Any,
    of: str = ANY,
) -> FrameworkSupplier:  # fmt: skip
    """Name a supplier, of one lot or of all; who is named with a lot supplies those lots alone."""
    seen_agreements.lock(framework, of=of)
    if lot and not framework.lots.filter(code=lot).exists():
        raise ChangeRefused("lot", _("expected a lot of %(name)s") % {"name": framework.code})
    if vendor.pk == framework.supplier_id and not lot:
        raise ChangeRefused("vendor", _("%(name)s is the first supplier") % {"name": vendor.name})
    if framework.suppliers.filter(vendor=vendor, lot=lot).exists():
        raise ChangeRefused("vendor", _("%(name)s is named already") % {"name": vendor.name})
    made = FrameworkSupplier.objects.create(framework=framework, vendor=vendor, lot=lot, rank=rank)
    audit.record(
        "supplier_added", actor=by, subject=framework.code, vendor=vendor.code, lot=lot, rank=rank
    )
    return made


@transaction.atomic
def remove_supplier(
    framework: FrameworkAgreement, *, vendor: Vendor, lot: str, by: Any, of: str = ANY
) -> None:
    """Name a supplier no longer, unless something stands with it."""
    seen_agreements.lock(framework, of=of)
    open_ = (CallOff.State.CLOSED, CallOff.State.CANCELLED)
    standing = CallOff.objects.filter(framework=framework, supplier=vendor).exclude(state__in=open_)
    if standing.filter(lot=lot).exists() if lot else standing.exists():
        raise ChangeRefused("vendor", _("%(name)s has call-offs") % {"name": vendor.name})
    if not framework.suppliers.filter(vendor=vendor, lot=lot).delete()[0]:
        raise ChangeRefused("vendor", _("%(name)s is not named") % {"name": vendor.name})
    audit.record("supplier_removed", actor=by, subject=framework.code, vendor=vendor.code, lot=lot)
