"""Personal data at rest and the keyed hashes around it.

`Vault`       AES-256-GCM with the row's id as associated data, plus the blind index for lookups
`Signer`      HMAC-SHA256 under a key derived for one purpose from a ring of secrets
`derive`      HKDF-SHA256: one secret, one independent key per purpose

Rings hold the current secret first and the previous one after it: writing uses the first, reading tries all.
Ciphertext: 1 byte format, 4 bytes key id, 12 bytes nonce, then the sealed text with its tag.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.core.errors import Refused

_FORMAT = b"\x01"
_NONCE = 12
_HEADER = 1 + 4
_MIN_SECRET = 32


def derive(secret: bytes, purpose: str) -> bytes:
    """32 bytes for `purpose`; knowing them says nothing about the secret or any other purpose."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret)


def several(text: str | None) -> list[str]:
    """The values of a variable that may hold more than one, separated by commas."""
    return [value for value in re.split(r"[,\s]+", text or "") if value]


def data_keys(*encoded: str | None) -> list[bytes]:
    """The ring from base64 values, current first, each once; absent ones are skipped. Raises `Refused`."""
    found = dict.fromkeys(value for text in encoded for value in several(text))
    return [_decode_key(value) for value in found]


def _decode_key(value: str) -> bytes:
    fix = "Set FIRSTUSER_DATA_KEY to 32 random bytes in base64."
    try:
        key = base64.b64decode(value, validate=True)
    except ValueError:  # binascii's error, or what is raised for letters beyond ASCII
        raise Refused("The data key is not base64.", fix=fix) from None
    if len(key) != 32:
        raise Refused(f"The data key has {len(key)} bytes instead of 32.", fix=fix)
    return key


class Vault:
    """Seals personal data of one row and finds rows by it without storing it readably."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise Refused("There is no data key.", fix="Set FIRSTUSER_DATA_KEY to 32 random bytes in base64.")
        self.turn(keys)

    def turn(self, keys: Sequence[bytes]) -> None:
        """From now on with these keys; what runs meanwhile has the old ones or the new ones."""
        sealing = {_key_id(key): AESGCM(derive(key, "personal-data")) for key in keys}
        self._ring = _key_id(keys[0]), sealing, [derive(key, "blind-index") for key in keys]

    def seal(self, text: str, row_id: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        current, sealing, _ = self._ring
        sealed = sealing[current].encrypt(nonce, text.encode(), row_id.encode())
        return _FORMAT + current + nonce + sealed

    @property
    def header(self) -> bytes:
        """What everything begins with that is sealed with the current key."""
        return _FORMAT + self._ring[0]

    def open(self, blob: bytes, row_id: str) -> str:
        """Raises `Refused` when the key is unknown or the text was sealed for another row."""
        cipher = self._ring[1].get(blob[1:_HEADER])
        if blob[:1] != _FORMAT or cipher is None:
            raise Refused(
                f"Personal data of {row_id} is sealed with a key that is not in the ring.",
                fix="Set FIRSTUSER_DATA_KEY_PREVIOUS to the key it was sealed with.",
            )
        nonce, sealed = blob[_HEADER : _HEADER + _NONCE], blob[_HEADER + _NONCE :]
        try:
            return cipher.decrypt(nonce, sealed, row_id.encode()).decode()
        except InvalidTag:
            raise Refused(f"Personal data of {row_id} is damaged or belongs to another row.") from None

    def index(self, text: str) -> bytes:
        """The blind index to store."""
        return _mac(self._ring[2][0], text)

    def indexes(self, text: str) -> list[bytes]:
        """The blind indexes to look for: one per key in the ring, current first."""
        return [_mac(key, text) for key in self._ring[2]]


class Signer:
    """Signs for one purpose with the current secret; accepts signatures of every secret in the ring."""

    def __init__(self, ring: Sequence[str], purpose: str) -> None:
        if not ring or len(ring[0]) < _MIN_SECRET:
            raise Refused(
                f"SESSION_SECRET has fewer than {_MIN_SECRET} characters.",
                fix="Set SESSION_SECRET to at least 32 random characters.",
            )
        self._purpose = purpose
        self.turn(ring)

    def turn(self, ring: Sequence[str]) -> None:
        """From now on with these secrets."""
        self._keys = [derive(secret.encode(), self._purpose) for secret in ring]

    def sign(self, text: str) -> bytes:
        return _mac(self._keys[0], text)

    def verify(self, text: str, signature: bytes) -> bool:
        """Each comparison takes constant time."""
        return any(hmac.compare_digest(_mac(key, text), signature) for key in self._keys)


def fingerprint(secret: str) -> str:
    """Tells versions of a random secret apart, and nothing else about it."""
    return derive(secret.encode(), "version-fingerprint").hex()[:16]


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"key-id" + key).digest()[:4]
