"""The release before goes on working while the tables are already those of this release."""

from __future__ import annotations

import pytest

from tests.upgrades.schema import (
    Column,
    problems,
    recorded,
    rules_of,
    state_of,
    there,
    used_by,
)

OLD = {"study": {"id": Column("bigint"), "name": Column("varchar(64)", is_nullable=True)}}
FINE = {
    "nothing": {},
    "a table more": {"other": {"id": Column("bigint")}},
    "a column that may be null": {"study": OLD["study"] | {"new": Column(is_nullable=True)}},
    "a column with a default": {"study": OLD["study"] | {"new": Column(has_default=True)}},
    "a wider column": {"study": OLD["study"] | {"name": Column("text", is_nullable=True)}},
    "a longer column": {"study": OLD["study"] | {"name": Column("varchar(99)", is_nullable=True)}},
    "a column that no model names, but that is there": {
        "study": OLD["study"] | {"name": Column("", is_nullable=True)}
    },
}
BREAKS = {
    "study: it is gone": {},
    "study.name: it is gone or renamed": {"study": {"id": Column("bigint")}},
    "study.name: it may not be null any more": {
        "study": OLD["study"] | {"name": Column("varchar(64)")}
    },
    "study.name: it was varchar(64) and is varchar(16)": {
        "study": OLD["study"] | {"name": Column("varchar(16)", is_nullable=True)}
    },
    "study.id: it was bigint and is integer": {"study": OLD["study"] | {"id": Column("integer")}},
    "study.new: the release before does not know it": {"study": OLD["study"] | {"new": Column()}},
}


@pytest.mark.parametrize("change", FINE)
def test_what_adds_or_widens_is_taken(change: str) -> None:
    assert list(problems(OLD, OLD | FINE[change])) == []


@pytest.mark.parametrize("says", BREAKS)
def test_what_the_release_before_could_not_live_with_is_refused(says: str) -> None:
    (found,) = problems(OLD, BREAKS[says])
    assert found.startswith(says)


@pytest.mark.django_db
def test_the_migrations_of_this_release_leave_all_that_the_release_before_uses() -> None:
    before = recorded()
    state = state_of(before.migrations)
    used = used_by(state)
    assert len(used) > 30
    found = [one for one in problems(used, there()) if one.split(":")[0] not in before.accepted]
    assert not found, "\n".join(["See ADR 44:", *found])
    new_rules = {
        rule
        for rule in rules_of(state_of()) - rules_of(state)
        if rule.split(":")[0] in used and rule not in before.accepted
    }
    # of a column that is new the release before writes the default, or nothing
    known = {rule for rule in new_rules if _is_of_new_column(rule, used)}
    assert not new_rules - known, f"the release before may break: {sorted(new_rules - known)}"


def _is_of_new_column(rule: str, used: dict[str, dict[str, Column]]) -> bool:
    table, name = rule.split(": ")
    return name.endswith(" is unique") and name.removesuffix(" is unique") not in used[table]
