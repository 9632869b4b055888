"""Only an image that its vendor signed, and exactly that one."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.vendors.signing import IMAGE, document, new_key, pem_of, signed
from vendors.signatures import SignatureRefused, keys_of, problem_with_keys, verify

KEY, OTHER = new_key(), new_key()


def refusal(image=IMAGE, keys=(KEY,), **given):
    with pytest.raises(SignatureRefused) as refused:
        verify(image=image, signing_key=pem_of(*keys), **given)
    return refused.value.reason


def test_an_image_that_the_vendor_signed_may_run():
    verify(image=IMAGE, signing_key=pem_of(KEY), **signed(KEY))


def test_a_vendor_may_change_its_key_and_keep_the_old_one_for_what_it_signed():
    verify(image=IMAGE, signing_key=pem_of(OTHER, KEY), **signed(KEY))


def test_another_name_for_the_same_content_is_the_same_image():
    mirrored = "mirror.example.org/copy@" + IMAGE.rpartition("@")[2]
    verify(image=mirrored, signing_key=pem_of(KEY), **signed(KEY))


@pytest.mark.parametrize("given", [{"payload": "", "signature": "AAAA"},
                                   {"payload": "AAAA", "signature": ""}])  # fmt: skip
def test_what_is_not_signed_is_refused(given):
    assert "is not signed" in refusal(**given)


def test_another_vendors_signature_is_refused():
    assert "not by its vendor's key" in refusal(**signed(OTHER))


def test_a_signature_of_another_image_is_refused():
    of_another = signed(KEY, document(IMAGE.replace("5", "6")))
    assert "of another image" in refusal(**of_another)


@pytest.mark.parametrize(
    "content",
    [b"{}", b"null", b"[" * 5000, b'{"critical":{"image":{"docker-manifest-digest":5}}}',
     document(type="something else"), document().replace(b"image", b"imago")],
)  # fmt: skip
def test_what_was_signed_must_be_a_document_of_an_image(content):
    assert "of another image" in refusal(**signed(KEY, content))


def test_a_document_that_was_changed_after_it_was_signed_is_refused():
    given = signed(KEY, document(IMAGE.replace("5", "6")))
    given["payload"] = base64.b64encode(document()).decode()
    assert "not by its vendor's key" in refusal(**given)


@pytest.mark.parametrize("broken", ["%%%", "AAA", "A\nAAA", "ÅÅÅÅ"])
def test_what_is_no_base64_is_refused(broken):
    assert "cannot be read" in refusal(**signed(KEY) | {"signature": broken})


@given(st.binary(max_size=80))
def test_no_bytes_pass_for_a_signature(proof):
    given = signed(KEY) | {"signature": base64.b64encode(proof).decode() or "AAAA"}
    refusal(**given)


def test_a_key_is_a_public_one_of_the_curve_and_nothing_beside_it():
    private = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    rsa_key = rsa.generate_private_key(65537, 2048).public_key()
    of_rsa = rsa_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    unfit = ["", "no key", private, of_rsa, pem_of(new_key(ec.SECP384R1)), pem_of(KEY) + "more",
             pem_of(KEY) + private, pem_of(KEY).replace("M", "N", 1)]  # fmt: skip
    for pem in unfit:
        assert "P-256" in problem_with_keys(pem), pem
    assert problem_with_keys(pem_of(KEY, OTHER)) == ""
    assert len(keys_of(pem_of(KEY, OTHER))) == 2
