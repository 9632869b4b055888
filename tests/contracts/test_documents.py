"""Documents byte for byte: verified, bounded, given to who may have them, sealed with a tender."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction

from contracts import evaluating, submitting
from contracts.models import Document
from hub.models import Organisation, User
from tests.builders import parties
from tests.builders import tenders as building
from tests.builders.parties import client_of

pytestmark = pytest.mark.django_db
API = "/api/v1/procedures/2026-100/documents/"
PAGE = "/procedures/2026-100/documents/"
CONTENT = b"%PDF-1.7 HEMMELIG \x00\xff"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def trust() -> Organisation:
    return parties.organisation("vestre-viken", name="Vestre Viken HF")


def bring(user: User, where: str = API, content: bytes = CONTENT, **fields: Any) -> Any:
    file = SimpleUploadedFile("minutes æ.pdf", content)
    return client_of(user).post(where, {"kind": "evidence", "file": file} | fields)


def names(user: User) -> list[str]:
    return [one["name"] for one in client_of(user).get(API).json()]


def test_a_document_is_kept_once_with_its_digest_and_given_back_whole(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    refused = bring(made.buyer, sha256="0" * 64)
    assert DIGEST in refused.json()["sha256"][0]
    assert Document.objects.count() == 0
    told = bring(made.buyer, sha256=DIGEST.upper()).json()
    assert (told["sha256"], told["size"]) == (DIGEST, len(CONTENT))
    assert bring(made.buyer).json()["id"] == told["id"]
    got = client_of(made.buyer).get(f"{PAGE}{told['id']}/")
    assert got.content == CONTENT
    assert got["Content-Type"] == "application/octet-stream"
    assert got["Content-Disposition"].startswith("attachment")
    with pytest.raises(DatabaseError), transaction.atomic():
        Document.objects.update(name="other")


def test_what_is_too_large_or_empty_is_refused_at_the_field(
    trust: Organisation, settings: Any
) -> None:
    made = building.in_dialogue(trust)
    settings.HUB_DOCUMENT_BYTES = len(CONTENT) - 1
    assert "expected at most" in bring(made.buyer).json()["file"][0]
    page = bring(made.buyer, PAGE)
    assert 'id="document-file_error"' in page.content.decode()
    assert bring(made.buyer, content=b"").status_code == 400
    assert Document.objects.count() == 0


def test_each_side_sees_its_own_and_what_is_for_all(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    theirs = bring(made.first_user).json()["id"]
    assert names(made.second_user) == []
    assert len(names(made.buyer)) == 1
    for user in (made.second_user, parties.member("stranger", role="radiologist")):
        assert client_of(user).get(f"{PAGE}{theirs}/").status_code == 404
    own = bring(made.buyer, content=b"for the buyer").json()["id"]
    shown = bring(made.buyer, content=b"for all", is_for_all="on").json()["id"]
    assert client_of(made.second_user).get(f"{API}{own}/").status_code == 404
    assert client_of(made.second_user).get(f"{API}{shown}/").content == b"for all"


def test_what_comes_with_a_tender_is_sealed_until_all_are_opened(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    sealed = bring(made.first_user).json()
    assert sealed["is_sealed"]
    assert b"HEMMELIG" not in bytes(Document.objects.get().content)
    assert names(made.buyer) == []
    assert client_of(made.buyer).get(f"{API}{sealed['id']}/").status_code == 404
    assert client_of(made.first_user).get(f"{API}{sealed['id']}/").status_code == 409
    submitting.submit(
        made.first, kind="final", content=building.tender_of("10.00"), by=made.first_user
    )
    evaluating.freeze(made.procedure, by=made.buyer)
    building.over(made.procedure)
    assert "deadline" in bring(made.second_user).json()["file"][0]
    submitting.open_tenders(made.procedure, by=made.buyer, why="due")
    assert client_of(made.buyer).get(f"{API}{sealed['id']}/").content == CONTENT
    assert "any more" in bring(made.first_user, content=b"late").json()["file"][0]


def test_the_holder_keeps_documents_of_an_agreement() -> None:
    here = parties.first_site()
    parties.member("holder", role="procurement_officer", organisation=here.framework.holder)
    page, api = (f"{base}frameworks/{here.framework.pk}/documents/" for base in ("/", "/api/v1/"))
    assert bring(here.officer, api).status_code == 403
    holder = User.objects.get(username="holder")
    assert bring(holder, page, kind="justification").status_code == 302
    row = Document.objects.get()
    assert client_of(here.officer).get(f"{page}{row.pk}/").content == CONTENT
    stranger = parties.member("s", role="procurement_officer", organisation=here.other_organisation)
    assert client_of(stranger).get(f"{api}{row.pk}/").status_code == 404
