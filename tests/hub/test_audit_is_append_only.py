"""What was seen, changed or metered stays as it was written: the database itself sees to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations.state import StateApps
from django.utils import timezone

from contracts.metering import record
from contracts.models import UsageEvent, UsageIsAppendOnly
from hub import audit
from hub.append_only import append_only, let_go_after
from hub.models import AuditEvent, AuditTrailIsAppendOnly
from tests.builders.parties import first_site

NOON = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
Maker = Callable[[], models.Model]
GUARD = append_only("contracts_usageevent")
LET_GO = let_go_after("hub_auditevent", column="at", days=184)


def an_audit_event() -> AuditEvent:
    return audit.record("study_seen", actor="radiologist.drammen", subject="1.2.3")


def a_usage_event() -> UsageEvent:
    here = first_site()
    recorded = record(
        study_ref_of=(here.site.code, "1.2.3"),
        line=here.line,
        version=here.version,
        source="urn:hub:site:drammen",
        event_id="event-1",
        at=NOON,
        details={},
    )
    return recorded.event


both_tables = pytest.mark.parametrize("make", [an_audit_event, a_usage_event])


@contextmanager
def refusal(on: models.Model) -> Iterator[None]:
    """The block must fail because the table of ``on`` is append-only; the transaction goes on."""
    message = f"{on._meta.db_table} is append-only"
    with pytest.raises(DatabaseError, match=message), transaction.atomic():
        yield


def execute(statement: str, *, on: models.Model) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(table=on._meta.db_table), [on.pk])


def run(code: Callable[..., None]) -> None:
    """One way of a migration's operation."""
    with connection.schema_editor() as editor:
        code(StateApps([], {}), editor)


@both_tables
@pytest.mark.django_db
def test_raw_sql_cannot_rewrite_a_row(make: Maker) -> None:
    row = make()
    before = type(row).objects.values().get(pk=row.pk)

    with refusal(row):
        execute("UPDATE {table} SET details = '[]' WHERE id = %s", on=row)
    assert type(row).objects.values().get(pk=row.pk) == before


@both_tables
@pytest.mark.usefixtures("database_as_in_production")
def test_raw_sql_cannot_delete_a_row(make: Maker) -> None:
    row = make()

    with refusal(row):
        execute("DELETE FROM {table} WHERE id = %s", on=row)
    assert type(row).objects.filter(pk=row.pk).exists()


@both_tables
@pytest.mark.usefixtures("database_as_in_production")
def test_a_queryset_cannot_rewrite_or_delete_rows(make: Maker) -> None:
    row = make()
    rows = type(row).objects.filter(pk=row.pk)

    with refusal(row):
        rows.update(details={"rewritten": True})
    with refusal(row):
        rows.delete()
    assert rows.get().details != {"rewritten": True}


@both_tables
@pytest.mark.django_db
def test_a_row_refuses_to_be_saved_again_or_deleted(make: Maker) -> None:
    row = make()

    with pytest.raises((AuditTrailIsAppendOnly, UsageIsAppendOnly)):
        row.save()
    with pytest.raises((AuditTrailIsAppendOnly, UsageIsAppendOnly)):
        row.delete()


@pytest.mark.usefixtures("database_as_in_production")
def test_the_flush_command_cannot_empty_the_audit_trail() -> None:
    event = an_audit_event()

    with pytest.raises((CommandError, DatabaseError)), transaction.atomic():
        call_command("flush", interactive=False, verbosity=0)
    assert AuditEvent.objects.filter(pk=event.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_a_test_database_may_be_emptied() -> None:
    a_usage_event()
    an_audit_event()

    call_command("flush", interactive=False, verbosity=0)

    assert not AuditEvent.objects.exists()
    assert not UsageEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_guard_of_usage_can_be_taken_back_by_its_migration() -> None:
    row = a_usage_event()
    try:
        run(GUARD.reverse_code)
        execute("UPDATE {table} SET details = '[]' WHERE id = %s", on=row)
    finally:
        run(GUARD.code)
    with refusal(row):
        execute("UPDATE {table} SET details = '{{}}' WHERE id = %s", on=row)


@pytest.mark.postgresql
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="needs PostgreSQL")
@pytest.mark.usefixtures("database_as_in_production")
def test_a_temporary_table_does_not_lift_the_guard() -> None:
    row = an_audit_event()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE this_is_a_test_database (id integer)")

    with refusal(row):
        execute("DELETE FROM {table} WHERE id = %s", on=row)


@pytest.mark.usefixtures("database_as_in_production")
def test_a_new_row_can_still_be_added() -> None:
    first, second = an_audit_event(), an_audit_event()

    assert AuditEvent.objects.filter(pk__in=[first.pk, second.pk]).count() == 2


def seen(days: int) -> AuditEvent:
    return AuditEvent.objects.create(
        at=timezone.now() - timedelta(days=days), actor="radiologist.drammen", action="study_seen"
    )


@pytest.mark.usefixtures("database_as_in_production")
def test_the_database_lets_an_audit_event_go_after_six_months_and_no_day_sooner() -> None:
    young, old = seen(183), seen(185)

    with refusal(young):
        AuditEvent.objects.all().delete()
    with refusal(old):
        execute("UPDATE {table} SET details = '[]' WHERE id = %s", on=old)
    AuditEvent.objects.filter(pk=old.pk).delete()
    assert AuditEvent.objects.get() == young


@pytest.mark.usefixtures("database_as_in_production")
def test_a_usage_event_never_goes() -> None:
    event = a_usage_event()
    assert timezone.now() - event.at > timedelta(days=150)

    with refusal(event):
        execute("DELETE FROM {table} WHERE id = %s", on=event)


@pytest.mark.django_db(transaction=True)
def test_letting_go_can_be_taken_back_by_its_migration() -> None:
    row = an_audit_event()
    try:
        run(LET_GO.reverse_code)
        with refusal(row):
            execute("UPDATE {table} SET details = '[]' WHERE id = %s", on=row)
    finally:
        run(LET_GO.code)
    with refusal(row):
        execute("UPDATE {table} SET details = '[]' WHERE id = %s", on=row)
