"""Which Patient ID stands for one that was merged into it at a site; looks up, moves nothing.

An identifier is compared with its assigning authority; who names none says no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.hl7.content import Identifier, OrderContent
from routing.known_orders import Said
from routing.looking_up import Wanted
from routing.models import Order, PatientMerge, Study


def surviving_id(site_id: int, patient_id: str, *issuers: str) -> str:
    """The Patient ID that survives this one at a site: itself, unless it was merged.

    Where two authorities merged the same number into two patients and nobody says whose this is,
    it stays what it is.
    """
    if not patient_id:
        return patient_id
    found = {
        row.surviving_id
        for row in PatientMerge.objects.filter(site=site_id, prior_id=patient_id)
        if is_same_issuer(row.issuer, row.universal_id, issuers)
    }
    return found.pop() if len(found) == 1 else patient_id


def is_same_issuer(issuer: str, universal_id: str, others: Sequence[str]) -> bool:
    """Whether two may be one authority, each by its namespace, its universal id or no name."""
    named = {issuer, universal_id} - {""}
    said = {*others} - {""}
    return not named or not said or bool(named & said)


def prior_ids(study: Study) -> frozenset[str]:
    """The Patient IDs that were merged into that of a study."""
    rows = PatientMerge.objects.filter(site=study.site_id, surviving_id=study.patient_id)
    said = [study.issuer_of_patient_id]
    return frozenset(
        row.prior_id for row in rows if is_same_issuer(row.issuer, row.universal_id, said)
    )


def bring_up_to_date(order: Order) -> bool:
    """Give an order the surviving identifiers of its patient; whether any was merged."""
    kept = order.patient.get("identifiers", [])
    now = [
        {**one, "value": surviving_id(
            order.site_id, one.get("value", ""),
            one.get("assigning_authority", ""), one.get("universal_id", ""),
        )}
        for one in kept
    ]  # fmt: skip
    if now == kept:
        return False
    order.patient = {**order.patient, "identifiers": now}
    order.save(update_fields=["patient", "updated_at"])
    return True


def what_to_look_for(said: Sequence[Said]) -> list[Wanted]:
    """What to ask for to know whether messages speak of anybody who was merged."""
    by_site: dict[int, set[str]] = {}
    for content, node in said:
        values = {one.value for one in content.patient.identifiers}
        by_site.setdefault(node.site_id, set()).update(values)
    return [
        Wanted(PatientMerge, "site_id", site, "prior_id", sorted(values))
        for site, values in by_site.items()
    ]


def under_surviving_ids(said: Sequence[Said]) -> list[Said]:
    """What messages say of orders, each for the patient that survives."""
    return [(_under_surviving_id(content, node.site_id), node) for content, node in said]


def _under_surviving_id(content: OrderContent, site_id: int) -> OrderContent:
    patient = content.patient
    identifiers = tuple(_surviving(one, site_id) for one in patient.identifiers)
    return replace(content, patient=replace(patient, identifiers=identifiers))


def _surviving(one: Identifier, site_id: int) -> Identifier:
    value = surviving_id(site_id, one.value, one.assigning_authority, one.universal_id)
    return replace(one, value=value)
