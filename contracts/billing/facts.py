"""What an agreement was rated on, kept as JSON values, so that it can be rated again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from contracts import measured
from contracts.billing.booking import last_day_of, read_meters
from contracts.models import BillingRun, FrameworkAgreement, RatingSnapshot
from contracts.priced import BOUGHT, agreement_of
from contracts.pricing import Agreement, ChargeLine, Usage, Usages, rate
from hub.configuration import registry


def facts_of(framework: FrameworkAgreement, *, month: date) -> dict[str, Any]:
    """The terms as they stand (the entries of the set-up file that prices hang on), and readings.

    Readings are what was measured: availability and outcomes, see contracts.measured.
    """
    kinds = {name: registry.kind(name) for name in ("framework", "call_off", "index_series")}
    rows = framework.call_offs.filter(state__in=BOUGHT).order_by("pk")
    found = {
        "framework": kinds["framework"].record.load(framework, ""),
        "call_offs": [kinds["call_off"].record.load(row, "") for row in rows],
        "index_series": [value for _, value in kinds["index_series"].held().values()],
        "as_of": last_day_of(month).isoformat(),
        **measured.facts_of(framework),
    }
    as_kept: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return as_kept


def agreement_in(facts: dict[str, Any]) -> Agreement:
    """The agreement that facts tell of; raises PriceTermsError."""
    return agreement_of(
        facts["framework"], call_offs=facts["call_offs"], index_series=facts["index_series"]
    )


def rated(facts: dict[str, Any], used: tuple[Usage, ...]) -> list[ChargeLine]:
    """What everything costs to the day the facts are of; raises what rate() does."""
    as_of = date.fromisoformat(facts["as_of"])
    # those that were kept before readings were taken have none
    usages = Usages(
        used,
        measured.availability_in(facts.get("availability", ())),
        measured.outcomes_in(facts.get("outcomes", ())),
    )
    return rate(agreement_in(facts), usages, as_of=as_of)


def keep(
    run: BillingRun, framework: FrameworkAgreement, facts: dict[str, Any], used: Iterable[Usage]
) -> RatingSnapshot:
    """Add the snapshot; its digest covers the terms and the usage."""
    return RatingSnapshot.objects.create(
        run=run, framework=framework, facts=facts, sha256=digest(facts, used)
    )


def rated_again(snapshot: RatingSnapshot) -> list[ChargeLine]:
    """What a snapshot was rated to, from what was kept. Raises ValueError if that was changed."""
    used = read_meters(snapshot.run, snapshot.framework)
    if digest(snapshot.facts, used) != snapshot.sha256:
        raise ValueError(f"snapshot {snapshot.pk} is not what was rated")
    return rated(snapshot.facts, used)


def digest(facts: dict[str, Any], used: Iterable[Usage]) -> str:
    """SHA-256 of terms and usage, both in one form."""
    rows = [
        # as before rejections were counted, where there are none: an old digest stays what it is
        (one.line, one.day.isoformat(), one.units, one.late, one.failed)
        + ((one.rejected,) if one.rejected else ())
        for one in sorted(used, key=lambda one: (one.line, one.day))
    ]
    text = json.dumps([facts, rows], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
