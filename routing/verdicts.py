"""What each algorithm with a rule at a site makes of a study: its Verdict, and its Workitem."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from django.utils import timezone

from marketplace.deployment import versions_in_use
from marketplace.models import AlgorithmVersion
from routing import naming, nudges, pathway
from routing.models import Series, Study, Verdict, Workitem
from routing.rulebook import ReadyRule, Rulebook, rules_at
from routing.suitability import Suitable, Unsuitable, fingerprint, judge, offered_by

Considered = tuple[AlgorithmVersion, Sequence[ReadyRule]]


def give(study: Study) -> list[Workitem]:
    """Give every version considered its verdict; the Workitems of those that want the study."""
    verdicts = _all(study)
    Verdict.objects.bulk_create(
        Verdict(
            study=study,
            revision=study.revision,
            algorithm=version.algorithm,
            version=version,
            **_said(verdict),
        )
        for version, verdict in verdicts
    )
    return [
        _workitem(study, version, verdict)
        for version, verdict in verdicts
        if isinstance(verdict, Suitable)
    ]


def foresee(study: Study) -> list[tuple[AlgorithmVersion, tuple[Series, ...]]]:
    """The versions that would want a study as it stands, and their input; writes nothing."""
    return [
        (version, verdict.series)
        for version, verdict in _all(study)
        if isinstance(verdict, Suitable)
    ]


def give_again(study: Study) -> list[Workitem]:
    """Ask those that did not want a matched study once more, now that its order says other things.

    It only adds: what was started or told because of the order as it was, stands.
    """
    # Locked and read anew: match() may just have given the first verdicts.
    now = Study.objects.lock(study.pk)
    rulebook = rules_at(now.site_id)
    if now.state != Study.State.MATCHED or now.is_read or not rulebook.reads_the_order:
        return []
    offered = offered_by(now)
    given = now.verdicts.filter(revision=now.revision)
    items = []
    for version, rules in _considered(now, rulebook):
        earlier = given.filter(version=version, is_match=False)
        if not earlier.exists():
            continue
        verdict = judge(offered, needs=version.declared.needs, rules=rules)
        earlier.update(**_said(verdict))
        if isinstance(verdict, Suitable):
            items.append(_workitem(now, version, verdict))
    return items


def _all(study: Study) -> list[tuple[AlgorithmVersion, Suitable | Unsuitable]]:
    offered = offered_by(study)
    return [
        (version, judge(offered, needs=version.declared.needs, rules=rules))
        for version, rules in _considered(study, rules_at(study.site_id))
    ]


def _considered(study: Study, rulebook: Rulebook) -> list[Considered]:
    """The versions in use here; where none is, the newest, so that entitle() can say why not."""
    versions = versions_in_use(rulebook.by_algorithm, site=study.site)
    return [
        (version, rulebook.by_algorithm[algorithm])
        for algorithm in sorted(rulebook.by_algorithm)
        for version in versions.get(algorithm) or _newest(algorithm)
    ]


def _newest(algorithm: int) -> Iterable[AlgorithmVersion]:
    versions = AlgorithmVersion.objects.filter(algorithm=algorithm)
    return versions.select_related("algorithm").order_by("-created_at", "-pk")[:1]


def _said(verdict: Suitable | Unsuitable) -> dict[str, object]:
    return {
        "rule_code": verdict.rule_code,
        "is_match": isinstance(verdict, Suitable),
        "clause": verdict.clause.stored(),
    }


def _workitem(study: Study, version: AlgorithmVersion, verdict: Suitable) -> Workitem:
    found = _fingerprint(study, version, verdict)
    item, is_new = Workitem.objects.get_or_create(
        study=study,
        version=version,
        input_fingerprint=found,
        defaults={
            "uid": naming.workitem_uid(study, version, fingerprint=found),
            "revision": study.revision,
            "priority": study.priority,
            "input_series": [one.series_instance_uid for one in verdict.series],
            "why": verdict.clause.stored(),
            "due_at": timezone.now(),
        },
    )
    if is_new:
        pathway.note(item, from_state="", to_state=item.state, why=verdict.clause)
        nudges.entitle(item.pk)
    return item


def _fingerprint(study: Study, version: AlgorithmVersion, verdict: Suitable) -> str:
    """That of the input; a superseded Workitem is over, also where its input is wanted again."""
    found = fingerprint(verdict.series)
    over = study.workitems.filter(
        version=version, input_fingerprint=found, state=Workitem.State.SUPERSEDED
    )
    if not over.exists():
        return found
    return hashlib.sha256(f"{found}/{study.revision}".encode()).hexdigest()
