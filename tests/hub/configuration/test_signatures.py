"""Where a vendor has a signing key, no image of it is set up without its signature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.models import AuditEvent
from marketplace.models import AlgorithmVersion
from tests.hub.configuration.setups import MANIFEST, SETUP, applied, refused, write
from tests.vendors.signing import IMAGE, new_key, pem_of, signed
from vendors.models import Vendor

pytestmark = pytest.mark.django_db
KEY, OTHER = new_key(), new_key()
CONTAINER = {"performer": {"kind": "container", "image": IMAGE}}


def setup(folder: Path, *, key: str | None, by: Any = None, **manifest: Any) -> str:
    text = SETUP
    if key is not None:
        srn = "srn: NO-MF-000012345"
        text = text.replace(srn, f"{srn}, signing_key: {json.dumps(key)}")
    if by is not None:
        given = signed(by)
        told = json.dumps({"payload": given["payload"], "value": given["signature"]})
        manifest_line = "      - manifest: manifests/bleed.json\n"
        text = text.replace(manifest_line, f"{manifest_line}        signature: {told}\n")
    return write(folder, text, **(manifest or CONTAINER))


def test_a_signed_image_is_set_up_and_exported_as_it_was(tmp_path: Path) -> None:
    path = setup(tmp_path, key=pem_of(KEY), by=KEY)
    applied(path)
    version = AlgorithmVersion.objects.get()
    version.require_signature()
    assert Vendor.objects.get().signing_key == pem_of(KEY)
    assert applied(path).changes == ()


@pytest.mark.parametrize(("by", "why"), [(None, "is not signed"), (OTHER, "not by its vendor")])
def test_an_unsigned_or_wrongly_signed_image_is_refused_with_a_sentence_and_kept_in_the_trail(
    tmp_path: Path, by: Any, why: str
) -> None:
    (problem,) = refused(setup(tmp_path, key=pem_of(KEY), by=by))
    assert problem.field == "versions[0].signature"
    assert why in problem.text
    assert not AlgorithmVersion.objects.exists()
    event = AuditEvent.objects.get(action="setup_refused")
    assert why in str(event.details["problems"])


def test_without_a_key_nothing_is_demanded(tmp_path: Path) -> None:
    applied(setup(tmp_path, key=None))
    AlgorithmVersion.objects.get().require_signature()


def test_what_has_no_image_has_nothing_to_sign(tmp_path: Path) -> None:
    applied(setup(tmp_path, key=pem_of(KEY), performer=MANIFEST["performer"]))
    AlgorithmVersion.objects.get().require_signature()


@pytest.mark.parametrize("key", ["no key", pem_of(KEY) + "x"])
def test_a_key_that_is_none_is_refused_at_its_place(tmp_path: Path, key: str) -> None:
    (problem,) = refused(setup(tmp_path, key=key, by=KEY))
    assert problem.field == "signing_key"
    assert "P-256" in problem.text


def test_a_signature_can_be_given_to_a_version_that_has_none(tmp_path: Path) -> None:
    """Also to one that ran: what is signed does not change by it."""
    applied(setup(tmp_path, key=None))
    applied(setup(tmp_path, key=pem_of(KEY), by=KEY))
    AlgorithmVersion.objects.get().require_signature()
