"""Orders and studies find each other, by Study Instance UID or accession number, whichever first.

A link is made only within one site and for one patient: where the Patient ID of the study is none
of the order's, the two stay apart and the study says so.

1. The Study Instance UID of the order is that of the study.
2. The order names no study, and the accession number is the same.
3. The order names a study that is not there, as where a scanner makes UIDs of its own, and it is
   the only one with that accession number, and surely for the same patient.
"""

from __future__ import annotations

import structlog
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_noop as _

from hub.models import Site
from hub.phrases import phrase
from routing import nudges, pathway, worklist
from routing.models import Order, Study
from routing.surviving import bring_up_to_date

log = structlog.get_logger(__name__)


def link_study(study: Study) -> None:
    """Find the order of a study that has just begun, and place the study."""
    for order in _orders_for(study):
        bring_up_to_date(order)
        if is_same_patient(order, study):
            _link(study, order)
            break
        _keep_apart(study, order)
    worklist.place(study)


def link_order(order: Order) -> None:
    """Find the studies of an order that is new or was changed."""
    for study in _studies_for(order):
        if is_same_patient(order, study):
            _link(study, order)
        else:
            _keep_apart(study, order)


def _orders_for(study: Study) -> list[Order]:
    """By Study Instance UID first: an accession number may name several studies."""
    named = Order.objects.filter(site=study.site, study_instance_uid=study.study_instance_uid)
    found = list(named.order_by("-pk"))
    if study.accession_number:
        of_number = Order.objects.filter(site=study.site, accession_number=study.accession_number)
        found += of_number.filter(study_instance_uid="").order_by("-pk")
        found = found or [one for one in of_number[:1] if _is_meant(one, study)]
    return found


def _studies_for(order: Order) -> list[Study]:
    at_site = Study.objects.filter(site=order.site).exclude(order=order)
    if order.study_instance_uid:
        # One that was linked by its number alone belongs to the order that names it.
        elsewhere = Q(order=None) | ~Q(order__study_instance_uid=order.study_instance_uid)
        found = list(at_site.filter(elsewhere, study_instance_uid=order.study_instance_uid))
        if found or not order.accession_number:
            return found
    elif not order.accession_number:
        return []
    unlinked = at_site.filter(order=None, accession_number=order.accession_number)
    if not order.study_instance_uid:
        return list(unlinked)
    return [study for study in unlinked if _is_meant(order, study)]


def _is_meant(order: Order, study: Study) -> bool:
    """Whether an order that names another study can only mean this one."""
    number, site = order.accession_number, order.site
    return (
        _is_surely_same_patient(order, study)
        and not _named(site, order.study_instance_uid).exists()
        and Order.objects.filter(site=site, accession_number=number).count() == 1
        and Study.objects.filter(site=site, accession_number=number).count() == 1
    )


def _named(site: Site, study_instance_uid: str) -> QuerySet[Study]:
    return Study.objects.filter(site=site, study_instance_uid=study_instance_uid)


def is_same_patient(order: Order, study: Study) -> bool:
    """Whether the study's Patient ID is one of the order's; either may be silent about it."""
    known = _patient_ids(order)
    return not known or not study.patient_id or study.patient_id in known


def _is_surely_same_patient(order: Order, study: Study) -> bool:
    return study.patient_id in _patient_ids(order)


def _patient_ids(order: Order) -> set[str]:
    return {one.get("value") for one in order.patient.get("identifiers", [])} - {"", None}


def _link(study: Study, order: Order) -> None:
    study.order = order
    study.save(update_fields=["order", "changed_at"])
    pathway.note(
        study,
        from_state=study.state,
        to_state=study.state,
        why=phrase(
            _("Linked to order %(order)s"),
            order=order.placer_order_number or order.filler_order_number or order.key,
        ),
    )
    expect(study, order)


def expect(study: Study, order: Order) -> None:
    """Take over the number of instances that the order says its study has."""
    if order.expected_instances and study.expected_instances is None:
        study.expected_instances = order.expected_instances
        study.save(update_fields=["expected_instances", "changed_at"])
        if study.state == Study.State.RECEIVING:
            nudges.complete(study.pk)


def _keep_apart(study: Study, order: Order) -> None:
    log.warning("orders.other_patient", study=str(study.uid), order=order.pk)
    why = phrase(
        _("Not linked to order %(order)s: it is for another Patient ID"),
        order=order.placer_order_number or order.filler_order_number or order.key,
    )
    if not study.transitions.filter(why=why.stored()).exists():
        pathway.note(study, from_state=study.state, to_state=study.state, why=why)
