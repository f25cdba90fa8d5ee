"""Phones and e-mails in the one form that is stored, indexed and compared."""

import re
from dataclasses import dataclass
from typing import Literal

from api.core.errors import Refused
from api.core.masking import masked

__all__ = ["Identifier", "email", "masked", "parse", "phone"]

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_NAMED = re.compile(r"\"?(?P<name>[^\"<>@\r\n]*)\"?\s*<(?P<address>[^<>]*)>")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,250}\.[^@\s.]{2,}")


@dataclass(frozen=True, slots=True)
class Identifier:
    kind: Literal["phone", "email"]
    value: str


def phone(text: str) -> Identifier:
    """E.164 from what people type. Raises `Refused`."""
    digits = re.sub(r"[\s().\-/]", "", text)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if not _PHONE.fullmatch(digits):
        raise Refused(
            "That is not a phone number.",
            fix="Write it with the country code, for example +49 170 1234567.",
            code="phone_invalid",
        )
    return Identifier("phone", digits)


def email(text: str) -> Identifier:
    """Lower case, trimmed. Raises `Refused`."""
    address = text.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise Refused(
            "That is not an e-mail address.", fix="Write it as name@example.com.", code="email_invalid"
        )
    return Identifier("email", address)


def sender(text: str) -> tuple[str, Identifier]:
    """(name, address) of `name@example.com` or `Name <name@example.com>`. Raises `Refused`."""
    named = _NAMED.fullmatch(text.strip())
    return (named["name"].strip(), email(named["address"])) if named else ("", email(text))


def parse(text: str) -> Identifier:
    """Whichever of the two it looks like. Raises `Refused`."""
    return email(text) if "@" in text else phone(text)
