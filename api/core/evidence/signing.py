"""Ed25519 (RFC 8032) over what the ledger says; the public half is all that a verifier needs.

Every kind of statement is signed under a name of its own, so that none can stand for another. Keys are known
by the first 16 hex digits of the SHA-256 of their public half.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.errors import Refused

RECORD = b"firstuser-evidence-record-1\0"
POSSESSION = b"firstuser-evidence-key-1\0"
EXPORT = b"firstuser-evidence-export-1\0"

_HEX = re.compile(r"[0-9a-f]+")
_OPTION = "firstuser_evidence_key"


@dataclass(frozen=True, slots=True)
class PublicKey:
    raw: bytes

    @classmethod
    def from_hex(cls, text: str) -> "PublicKey":
        """Raises `Refused`."""
        if len(text) != 64 or not _HEX.fullmatch(text):
            raise Refused("A public key is 64 hex digits.", fix="`firstuser evidence key` prints ours.")
        return cls(bytes.fromhex(text))

    @classmethod
    def read(cls, text: str) -> "PublicKey":
        """From PEM or hex. Raises `Refused`."""
        if "BEGIN" not in text:
            return cls.from_hex(text.strip())
        try:
            found = load_pem_public_key(text.encode())
        except ValueError:
            raise Refused("The public key is no PEM.", fix="`firstuser evidence key` prints ours.") from None
        if not isinstance(found, Ed25519PublicKey):
            raise Refused("The public key is not of Ed25519.", fix="`firstuser evidence key` prints ours.")
        return cls(found.public_bytes_raw())

    @property
    def id(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def pem(self) -> str:
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def verifies(self, statement: bytes, said: bytes, signature: str) -> bool:
        """Whether `signature` (hex, lower case) is this key's under `said` of kind `statement`."""
        if len(signature) != 128 or not _HEX.fullmatch(signature):
            return False
        try:
            key = Ed25519PublicKey.from_public_bytes(self.raw)
            key.verify(bytes.fromhex(signature), statement + said)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The private half. It is in no record, export, log or error."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    @classmethod
    def read(cls, encoded: str) -> "SigningKey":
        """From 32 bytes in base64. Raises `Refused`."""
        fix = "Set FIRSTUSER_EVIDENCE_KEY to the output of `openssl rand -base64 32`."
        try:
            seed = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise Refused("The evidence key is not base64.", fix=fix) from None
        if len(seed) != 32:
            raise Refused(f"The evidence key has {len(seed)} bytes instead of 32.", fix=fix)
        return cls(seed)

    @property
    def id(self) -> str:
        return self.public.id

    def sign(self, statement: bytes, said: bytes) -> str:
        return self._key.sign(statement + said).hex()


KeySource = Callable[[], SigningKey | None]


def sign_with(engine: Engine, source: KeySource) -> None:
    """From now on evidence that is written through `engine` is signed with what `source` gives."""
    engine.update_execution_options(**{_OPTION: source})


def key_of(session: Session) -> SigningKey | None:
    source: KeySource | None = session.connection().get_execution_options().get(_OPTION)
    return source() if source else None
