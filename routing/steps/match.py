"""Step 3: give every algorithm that has a rule at this site its verdict, with its clause."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import phrase
from marketplace.deployment import deployed_version
from marketplace.models import Algorithm, AlgorithmVersion
from routing import nudges, orders, pathway, priority_changes, superseding, worklist
from routing.models import Rule, Series, Study, Verdict, Workitem
from routing.suitability import Suitable, fingerprint, judge


@transaction.atomic
def match(study: Study) -> None:
    """Move a complete study to ``matched``, with a Verdict for each version considered.

    A Workitem whose input did not change since the last revision stands as it is; one whose input
    changed is superseded by a new one.
    """
    if study.state != Study.State.COMPLETE:
        return
    Study.objects.lock(study.pk)
    if study.order is None:
        # Under READ COMMITTED an order and a study that came at once did not see each other.
        orders.link_study(study)
    series = list(study.series.filter(is_own=False))
    rules = list(Rule.objects.filter(site=study.site_id).select_related("algorithm"))
    wanted: list[Workitem] = []
    for algorithm in _considered(rules):
        of_it = [rule for rule in rules if rule.algorithm_id == algorithm.pk]
        for version in _versions(algorithm, study):
            item = _verdict(study, series, version, of_it)
            if item is not None:
                wanted.append(item)
    pathway.advance(
        study,
        Study.State.MATCHED,
        why=phrase(_("algorithms that want this study: %(count)s"), count=len(wanted)),
        due_at=None,
    )
    superseding.replace_earlier(study, wanted)
    worklist.place(study)
    priority_changes.tell(study)


def _considered(rules: Iterable[Rule]) -> list[Algorithm]:
    algorithms = {rule.algorithm_id: rule.algorithm for rule in rules}
    return [algorithms[pk] for pk in sorted(algorithms)]


def _versions(algorithm: Algorithm, study: Study) -> list[AlgorithmVersion]:
    """The versions in use here; where none is, the newest, so that entitle() can say why not."""
    deployed = deployed_version(algorithm, site=study.site)
    if deployed.deployments:
        return [deployment.version for deployment in deployed.deployments]
    return list(
        algorithm.versions.select_related("algorithm").order_by("-created_at", "-pk")[:1]
    )


def _verdict(
    study: Study, series: list[Series], version: AlgorithmVersion, rules: list[Rule]
) -> Workitem | None:
    verdict = judge(study, series, needs=version.declared.needs, rules=rules)
    is_match = isinstance(verdict, Suitable)
    Verdict.objects.create(
        study=study,
        revision=study.revision,
        algorithm=version.algorithm,
        version=version,
        rule_code=verdict.rule_code,
        is_match=is_match,
        clause=verdict.clause.stored(),
    )
    return _workitem(study, version, verdict) if isinstance(verdict, Suitable) else None


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
