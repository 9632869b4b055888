"""Rows of tables that a release took away are found again where its migrations moved them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

# a process of its own: these migrations move rows in the database that the settings name
MOVED = """
import datetime, json
import django
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from tests.upgrades.schema import unsquashed

def to(*targets):
    executor = MigrationExecutor(connection)
    executor.loader = unsquashed(connection)
    executor.migrate(list(targets))
    return executor.loader.project_state(list(targets)).apps

# the one before the two that move rows, and what it has beside it
old = to(("contracts", "0014_used_prices_stay"), ("vendors", "0005_limits_are_facts"))
limit = old.get_model("contracts", "LegalLimit")
for day, value in (("2026-01-01", "4.00"), ("2027-01-01", "5.50")):
    limit.objects.create(code="2014/24.33.years", valid_from=day, value=value, source="Art. 33")
old.get_model("vendors", "LegalFact").objects.create(
    code="2014/24.33.years", since="2027-01-01", value="6.00", source="typed in by a person"
)
first, second = (
    old.get_model("vendors", "Vendor").objects.create(code=code, name=code) for code in "ab"
)
organisation = old.get_model("hub", "Organisation").objects.create(code="o", name="O")
procedure = old.get_model("contracts", "Procedure").objects.create(
    code="p", title="P", kind="comp-dial", state="concluded", organisation=organisation
)
moment = datetime.datetime(2026, 3, 4, 5, 6, tzinfo=datetime.UTC)
for day in (0, 1):
    procedure.moves.create(
        at=moment + datetime.timedelta(days=day), by="x", from_state="y", to_state="z", why="w"
    )
user = old.get_model("hub", "User")
anna, bo, kim = (user.objects.create(username=name) for name in ("anna", "bo", "kim"))
for number, (vendor, people) in enumerate(((first, (anna, bo)), (second, (anna, kim)))):
    participant = old.get_model("contracts", "Participant").objects.create(
        procedure=procedure, vendor=vendor, number=number
    )
    for person in people:
        participant.members.create(user=person)
old.get_model("vendors", "VendorMember").objects.create(user=kim, vendor=first)

new = to(("contracts", "0016_people_lots_and_results"))
facts = new.get_model("vendors", "LegalFact").objects.filter(code="2014/24.33.years")
people = new.get_model("vendors", "VendorMember").objects.order_by("user__username")
print(json.dumps({
    "facts": [[str(one.since), one.value, one.source] for one in facts.order_by("since")],
    "people": [[one.user.username, one.vendor.code] for one in people],
    "ended": str(new.get_model("contracts", "Procedure").objects.get().ended_at),
    "tables": sorted(connection.introspection.table_names()),
}))
"""


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What there is after the migrations, of what was there before them."""
    folder = tmp_path_factory.mktemp("moved")
    given = os.environ | {
        "DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_DEBUG": "on",
        "HUB_STATE_DIR": str(folder), "HUB_DATABASE_URL": f"sqlite:///{folder}/hub.sqlite3",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", MOVED], cwd=ROOT, env=given, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_limits_of_the_law_are_facts_and_what_a_person_typed_is_kept(moved: dict[str, Any]) -> None:
    assert moved["facts"] == [
        ["2026-01-01", "4.00", "Art. 33"], ["2027-01-01", "6.00", "typed in by a person"],
    ]  # fmt: skip
    assert "contracts_legallimit" not in moved["tables"]


def test_who_acted_for_a_participant_is_a_person_of_one_company(moved: dict[str, Any]) -> None:
    assert moved["people"] == [["anna", "a"], ["bo", "a"], ["kim", "a"]]
    assert "contracts_participantmember" not in moved["tables"]


def test_a_procedure_that_was_over_ended_with_its_last_move(moved: dict[str, Any]) -> None:
    assert moved["ended"] == "2026-03-05 05:06:00+00:00"
