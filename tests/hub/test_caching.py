"""What a session shows stays in no cache, whichever app shows it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.builders import parties

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "name", ["worklist", "frameworks", "billing", "catalogue", "deployments", "vendors"]
)
def test_no_cache_keeps_what_a_session_shows(name: str) -> None:
    client = Client()
    client.force_login(parties.first_site().administrator)
    answer = client.get(reverse(name))
    assert answer.status_code in (200, 403)
    assert answer["Cache-Control"] == "no-store"


def test_who_has_no_session_is_told_nothing_of_caches() -> None:
    assert "no-store" not in Client().get(reverse("health-live")).get("Cache-Control", "")
