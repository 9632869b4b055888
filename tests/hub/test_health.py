"""Health and metrics: what failed is named, and no patient is in the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from knox.models import AuthToken

from hub import health
from hub.models import User
from tests.builders import mornings, parties
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db


@pytest.fixture
def storage(settings: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    settings.HUB_STORAGE_URL = f"file://{folder}"
    settings.HUB_BROKER_URL = "filesystem://"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": str(tmp_path)}
    return folder


def readiness() -> tuple[int, dict[str, str]]:
    response = Client().get("/health/ready")
    return response.status_code, response.json()["checks"]


def test_the_process_answers() -> None:
    response = Client().get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_a_hub_that_has_everything_is_ready(storage: Path) -> None:
    assert readiness() == (200, dict.fromkeys(health.CHECKS, "ok"))


def test_a_storage_that_cannot_be_written_is_named(storage: Path) -> None:
    storage.write_text("a file where the folder should be")
    status, checks = readiness()
    assert status == 503
    assert checks["storage"] == "FileExistsError"
    assert checks["database"] == "ok"


def test_a_full_disk_is_named(storage: Path, settings: Any) -> None:
    settings.HUB_MINIMUM_FREE_BYTES = 2**62
    status, checks = readiness()
    assert status == 503
    assert "bytes free, expected at least" in checks["storage"]


def test_a_broker_that_is_away_is_named_without_its_password(
    storage: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HUB_BROKER_URL = "redis://:hemmelig@127.0.0.1:1/0"
    # An app of its own: the hub's keeps the connections that it once opened.
    own = Celery("away", broker=settings.HUB_BROKER_URL, set_as_current=False)
    monkeypatch.setattr(health, "app", own)
    status, checks = readiness()
    assert status == 503
    assert "Error" in checks["broker"]
    assert "hemmelig" not in str(checks)


def test_a_migration_that_was_not_applied_is_named(storage: Path) -> None:
    loader = MigrationLoader(connection)
    [last] = loader.graph.leaf_nodes("routing")
    for one in [last, *loader.get_migration(*last).replaces]:
        MigrationRecorder(connection).record_unapplied(*one)
    status, checks = readiness()
    assert status == 503
    assert checks["migrations"] == f"not applied: {'.'.join(last)}"


# -- metrics -----------------------------------------------------------------------------------
def test_the_numbers_of_a_morning_hold_no_patient() -> None:
    morning = mornings.a_morning()
    mornings.trouble(morning)
    text = Client().get("/metrics").content.decode()
    for line in (
        'routing_studies{site="drammen",state="receiving"} 1.0',
        'routing_studies_to_read{ai_state="failed",site="tonsberg"} 1.0',
        'routing_workitems{algorithm="ich-triage",state="failed"} 1.0',
        'routing_deliveries{node="drammen-ris",state="dead"} 1.0',
        'routing_set_aside{protocol="dicom"} 1.0',
        'routing_breaker_open{node="drammen-ris"} 1.0',
    ):
        assert line in text
    for kind in ("instance", "delivery"):
        assert f'routing_oldest_pending_seconds{{kind="{kind}"}}' in text
    for secret in ("BERG", morning.head.patient_id, morning.head.accession_number):
        assert secret not in text


@pytest.mark.parametrize("sign", ["X-Forwarded-For", "Forwarded", "Via"])
def test_a_proxy_on_this_machine_does_not_make_strangers_local(sign: str) -> None:
    assert Client().get("/metrics").status_code == 200
    assert Client(headers={sign: "203.0.113.7"}).get("/metrics").status_code == 401


def test_from_elsewhere_the_token_of_an_administrator_of_everything_is_needed() -> None:
    places: FirstSite = parties.first_site()
    of_one = parties.member("it", role="administrator", site=places.site)

    def asked_by(user: User | None, token: str = "") -> int:
        if user:
            token = AuthToken.objects.create(user=user)[1]
        headers = {"Authorization": f"Token {token}"} if token else {}
        return Client(headers=headers, REMOTE_ADDR="203.0.113.7").get("/metrics").status_code

    assert asked_by(places.administrator) == 200
    assert asked_by(places.radiologist) == 401
    assert asked_by(of_one) == 401
    assert asked_by(None) == 401
    assert asked_by(None, token="wrong") == 401
