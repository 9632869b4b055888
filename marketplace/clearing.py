"""Records the CE mark of a version; another UDI-DI opens validation again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date

from django.db import transaction
from django.utils.translation import gettext_noop

from hub import audit
from hub.models import User
from hub.phrases import phrase
from marketplace.deploying import reopen_validation
from marketplace.gates import udi_di_of
from marketplace.models import AlgorithmVersion, Clearance, Deployment


@dataclass(frozen=True, slots=True)
class Cleared:
    """All that is recorded of a CE mark, by the names of the columns."""

    regime: str
    risk_class: str
    certificate_number: str = ""
    certificate_kind: str = ""
    certificate_scope: str = ""
    notified_body: str = ""
    notified_body_name: str = ""
    issued: date | None = None
    expires: date | None = None
    udi_di: str = ""
    basic_udi_di: str = ""
    intended_use: str = ""
    ce_marked: date | None = None
    emdn_code: str = ""
    ifu: str = ""
    declaration: str = ""
    mdr_class: str = ""
    application_lodged: date | None = None
    agreement_signed: date | None = None
    is_unchanged: bool = False


@transaction.atomic
def record(version: AlgorithmVersion, cleared: Cleared, *, by: User) -> Clearance:
    """Put the CE mark in place of the one before."""
    before = udi_di_of(version)
    values = asdict(cleared)
    row, _ = Clearance.objects.update_or_create(version=version, defaults=values)
    audit.record(
        "clearance.recorded", actor=by, subject=str(version),
        clearance={name: str(value) for name, value in values.items() if value},
    )  # fmt: skip
    note_udi_di(version, before=before, by=str(by))
    return row


def note_udi_di(version: AlgorithmVersion, *, before: str, by: str) -> list[Deployment]:
    """Open the validation at every site again where the UDI-DI is not what it was."""
    now = udi_di_of(version)
    if not before or before == now:
        return []
    why = phrase(
        gettext_noop("The UDI-DI changed from %(old)s to %(new)s: it is to be validated again"),
        old=before, new=now or "-",
    )  # fmt: skip
    return reopen_validation(version, why=why.stored(), by=by)
