"""The protocol of a procedure: in the language of the buyer, to be printed and signed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import translation

from contracts import evaluating, protocols, submitting
from hub.models import Organisation
from tests.builders import parties
from tests.builders import tenders as building
from tests.builders.parties import client_of

pytestmark = pytest.mark.django_db


def test_it_is_written_in_the_language_of_the_buyer_with_lines_to_sign() -> None:
    trust = parties.organisation("vestre-viken", name="Vestre Viken HF")
    made = building.opened(trust)
    for part in (made.first, made.second):
        tender = part.submissions.get(kind="final")
        submitting.decide(tender, to="admitted", why="", by=made.buyer)
        evaluating.score(
            tender, criterion="environment", requirement=None, points=Decimal("7.5"),
            justification="Regnskap for klima", is_moderated=True, by=made.buyer,
        )  # fmt: skip
    with translation.override("en"):  # of who presses the button
        told = protocols.write(made.procedure, by=made.buyer).document
    assert '<html lang="nb">' in told
    for words in ("Protokoll", "Tildelingskriterium", "Lineær", "Sted og dato", "33\u202f000",
                  "Environment", "7,5", "Regnskap for klima", "Endelige tilbud"):  # fmt: skip
        assert words in told, words
    assert "final_tender" not in told
    Organisation.objects.filter(pk=trust.pk).update(country="GB")
    made.procedure.refresh_from_db()
    assert "Place and date" in protocols.write(made.procedure, by=made.buyer).document


def test_it_is_shown_as_it_was_written_and_nothing_in_it_runs() -> None:
    made = building.opened(parties.organisation("vestre-viken", name="Vestre Viken HF"))
    made.procedure.title = "<script>alert(1)</script>"
    made.procedure.save()
    written = protocols.write(made.procedure, by=made.buyer)
    answer = client_of(made.buyer).get("/procedures/2026-100/protocol/")
    assert answer.content.decode() == written.document
    assert "<script>" not in written.document
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    page = client_of(made.buyer).get("/procedures/2026-100/").content.decode()
    assert written.sha256 in page
