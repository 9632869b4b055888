"""Keeps final tenders closed: encrypted from the moment they arrive until all are opened.

Each procedure has a key of its own for AES-256-GCM; the row keeps it wrapped by a key that is
derived from the hub's secret. A dump of the database, or a query in it, shows nobody anything.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from hub import keys

_NONCE = 12
_PURPOSE = b"avrop sealed tenders 1"


class SealBroken(Exception):
    """A sealed text cannot be opened: another secret of the hub, or it was changed."""


def new_seal(code: str) -> str:
    """A fresh key for the procedure ``code``, wrapped."""
    return _encrypt(_wrapping_key(settings.SECRET_KEY), AESGCM.generate_key(256), code)


def close(seal: str, code: str, content: Any, *, of: str) -> str:
    """The content, encrypted and bound to ``of``: it cannot be passed off as another's."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return _encrypt(_key(seal, code), text.encode(), of)


def disclose(seal: str, code: str, sealed: str, *, of: str) -> Any:
    """The content again; SealBroken where it does not open."""
    return json.loads(_decrypt(_key(seal, code), sealed, of))


def _key(seal: str, code: str) -> bytes:
    """The key of the procedure; the hub's secret may have been changed since it was made."""
    for secret in keys.known():
        try:
            return _decrypt(_wrapping_key(secret), seal, code)
        except SealBroken:
            continue
    raise SealBroken(f"{code}: the hub's secret is not the one that tenders were sealed with")


def _wrapping_key(secret: str | bytes) -> bytes:
    raw = secret.encode() if isinstance(secret, str) else secret
    return HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(raw)


def _encrypt(key: bytes, content: bytes, bound_to: str) -> str:
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(key).encrypt(nonce, content, bound_to.encode())
    return base64.b64encode(nonce + sealed).decode()


def _decrypt(key: bytes, text: str, bound_to: str) -> bytes:
    raw = base64.b64decode(text)
    try:
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], bound_to.encode())
    except InvalidTag:
        raise SealBroken(f"{bound_to}: the sealed text does not open") from None
