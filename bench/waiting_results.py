"""Results that wait in the outbox as write_back leaves them, for a process with settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from hub.models import Node, Site
from routing import letters, nudges
from routing.models import Delivery, Result, Study, Workitem
from routing.places import spool
from tests.builders.parties import first_site

_SR = "1.2.840.10008.5.1.4.1.1.88.34"


def make_waiting(
    *, fast: int, slow: int, results: int, report: Callable[[str, str], bytes]
) -> list[Node]:
    """Make results for the PACS at port ``fast``, and at ``slow`` unless it is 0; the nodes.

    ``report`` gives the Part 10 file of a Workitem's and a study's UID.
    """
    if not Site.objects.exists():
        first_site()
    site = Site.objects.get(code="drammen")
    nodes = [_pacs(site, "fast", fast), *([_pacs(site, "slow", slow)] if slow else [])]
    with transaction.atomic():
        for _ in range(results):
            item = _written(site, report)
            for node in nodes:
                letters.make(item, node, kind=Delivery.Kind.DICOM)
    return nodes


def nudge_all(nodes: Sequence[Node]) -> None:
    """One nudge for each delivery, as each result would bring it."""
    for node in nodes:
        for _ in range(Delivery.objects.filter(node=node, state="pending").count()):
            nudges.deliver(node.pk)


def _pacs(site: Site, code: str, port: int) -> Node:
    said = {"site": site, "protocol": "dicom", "host": "127.0.0.1", "port": port}
    said |= {"ae_title": code.upper(), "roles": ["results"]}
    node, _is_new = Node.objects.update_or_create(code=code, defaults=said)
    # What an earlier turn left to the slow one is not waited for.
    Delivery.objects.filter(node=node, state="pending").delete()
    return node


def _written(site: Site, report: Callable[[str, str], bytes]) -> Workitem:
    from contracts.models import CallOffLine
    from marketplace.models import AlgorithmVersion

    now, uid = timezone.now(), f"2.25.{uuid4().int >> 64}"
    study = Study.objects.create(
        site=site, study_instance_uid=uid, modality="CT", instance_count=300, state="matched",
        first_instance_at=now, last_instance_at=now, waiting_since=now, read_by=now,
    )  # fmt: skip
    item = Workitem.objects.create(
        study=study, revision=1, version=AlgorithmVersion.objects.get(), state="writing_back",
        purpose="clinical", line=CallOffLine.objects.get(), priority=study.priority,
        input_fingerprint=uid, finished_at=now,
    )  # fmt: skip
    content = report(f"2.25.{item.uid.int}", uid)
    stored = spool().put_file(content, prefix=f"{site.code}/{item.uid.hex}", suffix=".dcm")
    Result.objects.create(
        workitem=item, kind="sr", sop_class_uid=_SR, sop_instance_uid=f"2.25.{item.uid.int}",
        series_instance_uid=f"{uid}.9", title="AI", key=stored.key,
    )  # fmt: skip
    return item
