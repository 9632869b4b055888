"""Whether a vendor signed the image that is to run: ECDSA P-256 over the digest, as cosign does it.

The payload is the "simple signing" document of containers, which names the digest of the image; the
signature is over the bytes of that document (SHA-256, DER). Nothing is asked of any registry.
"""

from __future__ import annotations

import base64
import binascii
import json
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.utils.translation import gettext as _

TYPE = "cosign container image signature"
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class SignatureRefused(Exception):
    """An image must not run; ``reason`` is the part of a sentence for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def keys_of(pem: str) -> tuple[ec.EllipticCurvePublicKey, ...]:
    """The public keys of a text in PEM, at least one; raises ValueError for any other content."""
    blocks = _PEM.findall(pem)
    if not blocks or _PEM.sub("", pem).strip():
        raise ValueError("no public key in PEM, or more than that")
    keys = [load_pem_public_key(block.encode()) for block in blocks]
    known = tuple(key for key in keys if isinstance(key, ec.EllipticCurvePublicKey))
    if len(known) != len(keys) or not all(isinstance(key.curve, ec.SECP256R1) for key in known):
        raise ValueError("a key that is not of the curve P-256")
    return known


def verify(*, image: str, payload: str, signature: str, signing_key: str) -> None:
    """Return where one of the keys in PEM signed this image; raises SignatureRefused.

    ``image`` is ``name@sha256:...``; ``payload`` and ``signature`` are in base64, as
    ``cosign download signature`` gives them. Several keys let a vendor change its own.
    """
    if not payload or not signature:
        text = _("the image %(image)s is not signed, and its vendor has a signing key")
        raise SignatureRefused(text % {"image": image})
    try:
        keys = keys_of(signing_key)
        signed = base64.b64decode(payload, validate=True)
        proof = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        text = _("the signature of the image %(image)s cannot be read")
        raise SignatureRefused(text % {"image": image}) from None
    if not any(_is_by(key, proof, signed) for key in keys):
        text = _("the signature of the image %(image)s is not by its vendor's key")
        raise SignatureRefused(text % {"image": image})
    digest = image.rpartition("@")[2]
    if _digest_in(signed) != digest:
        text = _("the signature is of another image than %(image)s")
        raise SignatureRefused(text % {"image": image})


def _is_by(key: ec.EllipticCurvePublicKey, proof: bytes, signed: bytes) -> bool:
    try:
        key.verify(proof, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _digest_in(signed: bytes) -> str:
    """The digest that the payload names; empty where it is no such document."""
    try:
        critical = json.loads(signed)["critical"]
        is_ours = critical["type"] == TYPE
        digest = critical["image"]["docker-manifest-digest"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return digest if is_ours and isinstance(digest, str) else ""


def problem_with_keys(pem: str) -> str:
    """What was expected of a signing key; nothing where it is one."""
    try:
        keys_of(pem)
    except ValueError:
        return _("one or more public keys of the curve P-256 in PEM (BEGIN PUBLIC KEY)")
    return ""
