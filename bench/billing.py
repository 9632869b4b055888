"""A year of usage over nine trusts, rated and invoiced month by month in PostgreSQL.

    .venv/bin/python -m bench.billing [--quick]

Twelve billing runs as `manage.py bill` makes them, each with its bookings, readings, snapshot,
invoices and lines committed. The sum of all invoices and credit notes is held to what the year's
volumes cost.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

from bench import alone
from bench.hub import manage
from bench.measurement import HUB, Measurement, Target
from bench.places import NotMeasured, folder, nine_trusts
from bench.postgresql import postgresql

EVENTS, QUICK_EVENTS = 1_000_000, 50_000
MOST_SECONDS = 60.0
YEAR = 2025
_LINES = """
CREATE TEMP TABLE bench_line AS
SELECT row_number() OVER (ORDER BY l.id) - 1 AS ordinal, l.id AS line_id, l.call_off_id,
  l.algorithm_id, l.site_id, c.organisation_id,
  (SELECT min(v.id) FROM marketplace_algorithmversion v WHERE v.algorithm_id = l.algorithm_id)
    AS version_id
FROM contracts_calloffline l JOIN contracts_calloff c ON c.id = l.call_off_id
"""
_EVENTS = """
INSERT INTO contracts_usageevent (tenant_id, source, event_id, at, study_ref, call_off_id, line_id,
  algorithm_id, version_id, site_id, units, purpose, fault, latency_ms, payload_sha256,
  recorded_at, details)
SELECT l.organisation_id, 'urn:bench', 'event-' || i,
  timestamptz '{year}-01-01 00:00:00+01' + (i %% 364) * interval '1 day'
    + (i %% 86000) * interval '1 s',
  'hmac-sha256:' || md5(i::text) || md5('x' || i), l.call_off_id, l.line_id, l.algorithm_id,
  l.version_id, l.site_id, CASE WHEN i %% 500 = 0 THEN 0 ELSE 1 END, 'clinical',
  CASE WHEN i %% 500 = 0 THEN 'supplier' ELSE 'none' END, 1000 * (i %% 300), '',
  timestamptz '{year}-12-31 12:00:00+01', '{{}}'::jsonb
FROM generate_series(1, %(events)s) i
JOIN bench_line l ON l.ordinal = (i::bigint * 7919) %% (SELECT count(*) FROM bench_line)
"""


def measure(*, is_quick: bool) -> list[Measurement]:
    """Seconds for the twelve runs of a year."""
    events = QUICK_EVENTS if is_quick else EVENTS
    with folder() as here, populated(here, events) as trusts:
        seconds, spent, invoices, slowest = _bill_the_year()
    return [
        Measurement(
            name="billing", says=f"{events:,} usage events of a year rated and invoiced",
            unit="s", figures={HUB: [seconds]}, is_rate=False,
            targets=[Target(at_most=MOST_SECONDS)],
            conditions={
                "events": events, "trusts": trusts, "runs": 12, "invoices": invoices,
                "slowest run": f"{slowest:.1f} s",
                # on a machine that has more to do, this is what says how much work it is
                "processor time, hub and database": f"{spent:.1f} s",
                "database": "PostgreSQL, shared_buffers 1 GB, synchronous commit",
            },
        )
    ]  # fmt: skip


@contextmanager
def populated(here: Path, events: int) -> Iterator[int]:
    """A hub on PostgreSQL whose trusts used so much; gives how many trusts. Django is set up."""
    with postgresql() as url:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        own = {
            "HUB_STATE_DIR": str(here / "state"), "HUB_DATABASE_URL": url,
            "HUB_SECRET_KEY": "bench-only-" + "0123456789abcdef" * 4,
            "DJANGO_SETTINGS_MODULE": "hub.settings",
        }  # fmt: skip
        setup = here / "setup.yaml"
        dated = nine_trusts().replace("2026-", f"{YEAR}-").replace("2029-", f"{YEAR + 3}-")
        setup.write_text(dated, "utf-8")
        manage(kept | own, "migrate", "--verbosity=0")
        manage(kept | own, "apply", setup)
        os.environ.update(own)
        import django

        django.setup()
        from django.db import connection

        try:
            yield _grow(events)
        finally:
            connection.close()


def _grow(events: int) -> int:
    from django.db import connection

    from contracts.models import CallOff, CallOffLine

    first = date(YEAR, 1, 1)
    CallOff.objects.update(valid_from=first)
    CallOffLine.objects.update(activated=first)
    with connection.cursor() as cursor:
        cursor.execute(_LINES)
        cursor.execute(_EVENTS.format(year=YEAR), {"events": events})
        cursor.execute("ANALYZE")
    return CallOff.objects.values("organisation").distinct().count()


def _bill_the_year() -> tuple[float, float, int, float]:
    from contracts.billing.running import run

    invoices, total, seconds = 0, Decimal(0), []
    spent = -_processor_seconds()
    for month in range(1, 13):
        began = time.perf_counter()
        outcome = run(date(YEAR, month, 1), by="bench", is_dry=False)
        seconds.append(time.perf_counter() - began)
        invoices += len(outcome.invoices)
        total += sum((one.net for one, _lines in outcome.invoices), Decimal(0))
    spent += _processor_seconds()
    if total != _cost_of_the_year():
        raise NotMeasured(f"the invoices come to {total}, the year costs {_cost_of_the_year()}")
    return sum(seconds), spent, invoices, max(seconds)


def _processor_seconds() -> float:
    """What this process and its own process of the database have used of a processor so far."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    fields = Path(f"/proc/{backend}/stat").read_text("utf-8").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])  # utime and stime: proc(5)
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _cost_of_the_year() -> Decimal:
    """Rated at once from the events, without the runs."""
    from django.db.models import Sum
    from django.db.models.functions import TruncDate

    from contracts.agreements import CONTRACT_ZONE
    from contracts.billing.facts import facts_of, rated
    from contracts.models import FrameworkAgreement, UsageEvent
    from contracts.pricing import Usage

    total = Decimal(0)
    for framework in FrameworkAgreement.objects.all():
        rows = UsageEvent.objects.filter(call_off__framework=framework).order_by()
        used = rows.values_list(
            "call_off__code", "algorithm__code", "site__code", TruncDate("at", tzinfo=CONTRACT_ZONE)
        ).annotate(units_=Sum("units"))
        usages = tuple(Usage("/".join(row[:3]), row[3], row[4]) for row in used)
        facts = facts_of(framework, month=date(YEAR, 12, 1))
        total += sum((one.amount for one in rated(facts, usages)), Decimal(0))
    return total


if __name__ == "__main__":
    raise SystemExit(alone.run(measure))
