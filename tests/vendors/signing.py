"""Signs images as `cosign sign --key` does, with a key made for the test."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

IMAGE = "registry.example.org/ich@sha256:" + "5" * 64


def new_key(curve=ec.SECP256R1):
    return ec.generate_private_key(curve())


def pem_of(*keys):
    return "".join(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        for key in keys
    )


def document(image=IMAGE, **critical):
    """The simple signing document, byte for byte as cosign writes it."""
    name, _, digest = image.rpartition("@")
    whole = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    } | critical
    return json.dumps({"critical": whole, "optional": None}, separators=(",", ":")).encode()


def signed(key, content=None):
    """Payload and signature, both in base64."""
    content = document() if content is None else content
    proof = key.sign(content, ec.ECDSA(SHA256()))
    return {
        "payload": base64.b64encode(content).decode(),
        "signature": base64.b64encode(proof).decode(),
    }
