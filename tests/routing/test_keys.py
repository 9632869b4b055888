"""HUB_SECRET_KEY is replaced: what was signed holds, and what is named keeps its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as hub_settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.test import Client
from knox.models import AuthToken

from contracts import metering, sealing
from routing import checks, naming
from routing.backups import making
from routing.backups.manifest import BackupRefused
from routing.backups.verifying import verify
from routing.copying import pseudonymiser_of
from routing.models import Study
from tests.builders.studies import head_ct
from tests.routing.conftest import Place

OLD, NEW, NEWER = hub_settings.SECRET_KEY, "n" * 60, "m" * 60


def replaced(settings: Any, *keys: str, identity: str = "") -> None:
    """The keys from now on, the newest first."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = keys[0], list(keys[1:])
    settings.HUB_IDENTITY_KEY = identity


def names(study: Study) -> tuple[object, ...]:
    """All that the hub calls a study and its patient by a key."""
    pseudonymiser = pseudonymiser_of(study)
    return (
        naming.study_uid(study.site, study.study_instance_uid),
        pseudonymiser.patient_id(study.patient_id),
        pseudonymiser.uid(study.study_instance_uid),
        metering.study_ref(study.site.code, study.study_instance_uid),
    )


@pytest.mark.parametrize(
    ("keys", "identity"),
    [((NEW, OLD), ""), ((NEWER, NEW, OLD), ""), ((NEW,), OLD), ((NEWER, NEW), OLD)],
    ids=["replaced", "twice", "the old one dropped", "dropped after the second"],
)
def test_patient_and_study_keep_their_names(
    place: Place, settings: Any, keys: tuple[str, ...], identity: str
) -> None:
    place.send(head_ct(slices=1))
    study = Study.objects.select_related("site", "order").get()
    before = names(study)
    assert study.uid == before[0]
    replaced(settings, *keys, identity=identity)
    assert names(study) == before
    assert checks.identity_key(["default"]) == []


def test_a_key_that_was_dropped_without_a_trace_is_told(place: Place, settings: Any) -> None:
    assert checks.identity_key(["default"]) == []
    place.send(head_ct(slices=1))
    study = Study.objects.select_related("site", "order").get()
    before = names(study)
    replaced(settings, NEW)
    assert not set(names(study)) & set(before)
    (told,) = checks.identity_key(["default"])
    assert "HUB_IDENTITY_KEY" in str(told.hint)


@pytest.mark.django_db
def test_sessions_and_what_was_signed_hold_while_the_old_key_is_kept(settings: Any) -> None:
    user = get_user_model().objects.create_user("kari")
    client = Client()
    client.force_login(user)
    signed = signing.dumps("run", salt="any")
    _row, token = AuthToken.objects.create(user)
    replaced(settings, NEW, OLD)
    assert signing.loads(signed, salt="any") == "run"
    assert client.get("/").status_code != 302 or "login" not in client.get("/").url
    replaced(settings, NEWER)
    with pytest.raises(signing.BadSignature):
        signing.loads(signed, salt="any")
    # A token is kept by its plain hash: no key of the hub is in it.
    answer = Client().get("/api/v1/worklist/", headers={"Authorization": f"Token {token}"})
    assert answer.status_code == 200


@pytest.mark.django_db
def test_tenders_stay_sealed_and_can_be_opened(settings: Any) -> None:
    seal = sealing.new_seal("P-1")
    sealed = sealing.close(seal, "P-1", {"price": "7"}, of="one")
    for keys, identity in (((NEW, OLD), ""), ((NEWER,), OLD)):
        replaced(settings, *keys, identity=identity)
        assert sealing.disclose(seal, "P-1", sealed, of="one") == {"price": "7"}
    replaced(settings, NEWER)
    with pytest.raises(sealing.SealBroken):
        sealing.disclose(seal, "P-1", sealed, of="one")


def test_a_backup_of_before_is_the_hubs_own(place: Place, tmp_path: Path, settings: Any) -> None:
    made = making.make(tmp_path, actor="test")
    replaced(settings, NEW, OLD)
    assert verify(made.folder) == made.manifest
    replaced(settings, NEWER)
    with pytest.raises(BackupRefused):
        verify(made.folder)
