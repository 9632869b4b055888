"""What each algorithm with a rule at a site makes of a study: its Verdict, and its Workitem."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from django.utils import timezone

from marketplace.deployment import deployed_version
from marketplace.models import Algorithm, AlgorithmVersion
from routing import nudges, pathway
from routing.models import Rule, Series, Study, Verdict, Workitem
from routing.suitability import Suitable, Unsuitable, fingerprint, judge

Considered = tuple[AlgorithmVersion, list[Rule]]


def give(study: Study) -> list[Workitem]:
    """Give every version considered its verdict; the Workitems of those that want the study."""
    series = _candidates(study)
    items = []
    for version, rules in _considered(study, _rules(study)):
        verdict = judge(study, series, needs=version.declared.needs, rules=rules)
        Verdict.objects.create(
            study=study,
            revision=study.revision,
            algorithm=version.algorithm,
            version=version,
            **_said(verdict),
        )
        if isinstance(verdict, Suitable):
            items.append(_workitem(study, version, verdict))
    return items


def give_again(study: Study) -> list[Workitem]:
    """Ask those that did not want a matched study once more, now that its order says other things.

    It only adds: what was started or told because of the order as it was, stands.
    """
    # Locked and read anew: match() may just have given the first verdicts.
    now = Study.objects.lock(study.pk)
    rules = _rules(now)
    if now.state != Study.State.MATCHED or now.is_read or not _read_the_order(rules):
        return []
    series = _candidates(now)
    given = now.verdicts.filter(revision=now.revision)
    items = []
    for version, of_it in _considered(now, rules):
        earlier = given.filter(version=version, is_match=False)
        if not earlier.exists():
            continue
        verdict = judge(now, series, needs=version.declared.needs, rules=of_it)
        earlier.update(**_said(verdict))
        if isinstance(verdict, Suitable):
            items.append(_workitem(now, version, verdict))
    return items


def _rules(study: Study) -> list[Rule]:
    return list(Rule.objects.filter(site=study.site_id).select_related("algorithm"))


def _read_the_order(rules: Sequence[Rule]) -> bool:
    return any('"order.' in json.dumps(rule.when) for rule in rules)


def _candidates(study: Study) -> list[Series]:
    """What the hub itself wrote is never one."""
    return list(study.series.filter(is_own=False))


def _considered(study: Study, rules: Iterable[Rule]) -> list[Considered]:
    by_algorithm: dict[Algorithm, list[Rule]] = {}
    for rule in rules:
        by_algorithm.setdefault(rule.algorithm, []).append(rule)
    return [
        (version, by_algorithm[algorithm])
        for algorithm in sorted(by_algorithm, key=lambda one: one.pk)
        for version in _versions(algorithm, study)
    ]


def _said(verdict: Suitable | Unsuitable) -> dict[str, object]:
    return {
        "rule_code": verdict.rule_code,
        "is_match": isinstance(verdict, Suitable),
        "clause": verdict.clause.stored(),
    }


def _versions(algorithm: Algorithm, study: Study) -> list[AlgorithmVersion]:
    """The versions in use here; where none is, the newest, so that entitle() can say why not."""
    deployed = deployed_version(algorithm, site=study.site)
    if deployed.deployments:
        return [deployment.version for deployment in deployed.deployments]
    return list(
        algorithm.versions.select_related("algorithm").order_by("-created_at", "-pk")[:1]
    )


def _workitem(study: Study, version: AlgorithmVersion, verdict: Suitable) -> Workitem:
    item, is_new = Workitem.objects.get_or_create(
        study=study,
        version=version,
        input_fingerprint=_fingerprint(study, version, verdict),
        defaults={
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
