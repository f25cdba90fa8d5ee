"""The shape of an integration API key: `fu_live_<id>_<secret><checksum>`.

`id` is 16 characters and looked up; `secret` is 40 characters (200 bits), kept only as SHA-256; `checksum` is
the CRC-32 of all before it in 7 characters, so that a scanner recognises a leaked key offline.
"""

import hashlib
import secrets
import zlib
from dataclasses import dataclass

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PREFIX = "fu_live_"
_ID, _SECRET, _CHECKSUM = 16, 40, 7


@dataclass(frozen=True, slots=True)
class Token:
    key_id: str
    secret: str

    @property
    def secret_sha256(self) -> bytes:
        return hashlib.sha256(self.secret.encode()).digest()

    @property
    def plaintext(self) -> str:
        body = f"{_PREFIX}{self.key_id}_{self.secret}"
        return body + _checksum(body)


def generate() -> Token:
    return Token(_random(_ID), _random(_SECRET))


def parse(plaintext: str) -> Token | None:
    """None for anything that is not a well-formed key with a right checksum."""
    body, check = plaintext[:-_CHECKSUM], plaintext[-_CHECKSUM:]
    key_id, separator, secret = body.removeprefix(_PREFIX).partition("_")
    shaped = body.startswith(_PREFIX) and separator and len(key_id) == _ID and len(secret) == _SECRET
    if not shaped or not body.isascii() or _checksum(body) != check:
        return None
    return Token(key_id, secret)


def masked(key_id: str) -> str:
    """How a key is shown once it has been handed out."""
    return f"{_PREFIX}{key_id}_{'•' * 8}"


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
