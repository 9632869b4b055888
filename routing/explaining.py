"""The whole way of one study in plain lines, for whoever asks why it stands where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet

from hub.models import Site
from hub.phrases import render
from routing import standing
from routing.models import Priority, Study, Transition


def explain(study: Study) -> Iterator[str]:
    """Lines of text; times in the site's zone, no patient's name."""
    yield f"Study {study.study_instance_uid} at {study.site.name} ({study.site.code})"
    yield (
        f"  {study.state}, revision {study.revision}, {study.instance_count} instances, "
        f"{study.modality or 'no modality'}; priority {Priority(study.priority).label}: "
        f"{render(study.reason)}"
    )
    order = study.order
    yield f"  order: {order.key} ({order.status})" if order else "  order: none known"
    yield "Timeline"
    for move in _moves(study):
        yield f"  {_clock(move.at, study)}  {_subject(move)}{_move(move)}{render(move.why)}"
    yield f"Verdicts of revision {study.revision}"
    verdicts = study.verdicts.filter(revision=study.revision).select_related("algorithm")
    for verdict in verdicts.order_by("pk"):
        yes = "wanted" if verdict.is_match else "not wanted"
        rule = f" (rule {verdict.rule_code})" if verdict.rule_code else ""
        yield f"  {verdict.algorithm.code}: {yes}: {render(verdict.clause)}{rule}"
    yield from _workitems(study)
    for row in study.set_aside.order_by("pk"):
        yield f"Set aside {_clock(row.at, study)} from {row.sender}: {render(row.reason)}"


def _moves(study: Study) -> QuerySet[Transition]:
    rows = study.transitions.select_related("workitem__version__algorithm", "delivery__node")
    return rows.order_by("at", "pk")


def _workitems(study: Study) -> Iterator[str]:
    items = list(study.workitems.select_related("version__algorithm").order_by("pk"))
    places = standing.where(items, names=dict(Site.objects.values_list("code", "name")))
    for item in items:
        yield f"Workitem {item.uid} {item.version}: {item.state}: {render(item.why)}"
        if item.pk in places:
            yield f"  {places[item.pk]}"
        for finding in item.findings.all():
            yield f"  finding: {finding.code.get('meaning')} {finding.status}"
        for delivery in item.deliveries.select_related("node").order_by("pk"):
            fault = f": {render(delivery.last_error)}" if delivery.last_error else ""
            yield (
                f"  {delivery.kind} to {delivery.node.code}: {delivery.state}, "
                f"{delivery.attempts} failed attempts{fault}"
            )


def _clock(moment: datetime, study: Study) -> str:
    return moment.astimezone(study.site.zone).strftime("%Y-%m-%d %H:%M:%S")


def _subject(move: Transition) -> str:
    if move.delivery:
        return f"{move.delivery.kind} to {move.delivery.node.code}: "
    return f"{move.workitem.version}: " if move.workitem else ""


def _move(move: Transition) -> str:
    if move.from_state == move.to_state:
        return ""
    return f"{move.from_state} -> {move.to_state}: " if move.from_state else f"{move.to_state}: "
