"""The account's signing key and the X-EBAY-SIGNATURE header: ECDSA P-256 with SHA-1 over the raw body."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`key_id` is the `kid` that getPublicKey is asked for."""

    key_id: str
    private: ec.EllipticCurvePrivateKey

    def sign(self, body: bytes) -> str:
        signature = self.private.sign(body, ec.ECDSA(hashes.SHA1()))  # noqa: S303 - the vendor's contract
        header = {
            "alg": "ecdsa",
            "kid": self.key_id,
            "signature": base64.b64encode(signature).decode(),
            "digest": "SHA1",
        }
        return base64.b64encode(orjson.dumps(header)).decode()

    def show(self) -> dict[str, str]:
        """The body of getPublicKey. The vendor's PEM has no line breaks."""
        pem = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {"algorithm": "ECDSA", "digest": "SHA1", "key": pem.decode().replace("\n", "")}

    def dump(self) -> dict[str, str]:
        pem = self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {"key_id": self.key_id, "pem": pem.decode()}


def make_key() -> SigningKey:
    return SigningKey(str(uuid.uuid4()), ec.generate_private_key(ec.SECP256R1()))


def load_key(saved: dict[str, str]) -> SigningKey:
    """Raises ValueError."""
    private = serialization.load_pem_private_key(saved["pem"].encode(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError("the signing key is not an elliptic curve key")
    return SigningKey(saved["key_id"], private)
