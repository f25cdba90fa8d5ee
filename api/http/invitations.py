"""Joining from the homepage: a link goes to the address that was typed, and whoever opens it joins.

Whoever asks learns nothing about who is on the list, and nobody joins, or comes back, in another's name. The
link holds all that is needed, sealed, and nothing is stored until it is used.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.core.access.waitlist import Applicant
from api.core.crypto import Vault
from api.core.errors import Refused

LIFETIME = timedelta(hours=24)
WEB = "web-"
"""How the names of people begin who joined here: nobody else's are looked up by address."""
_PURPOSE = "homepage-invitation"


@dataclass(frozen=True, slots=True)
class Invitation:
    email: str
    referral_code: str
    expires_at: datetime

    def applicant(self, vault: Vault, known: str | None) -> Applicant:
        """The same person at every use of any link that went to this address. `known`: whom the list has with
        it already, under a name that came from an earlier data key."""
        user_id = known or f"{WEB}{vault.index(self.email).hex()[:24]}"
        return Applicant(user_id, email=self.email, referral_code=self.referral_code or None)


def seal(vault: Vault, email: str, referral_code: str, now: datetime) -> str:
    """The link's token, good for `LIFETIME`."""
    said = {"email": email, "referral": referral_code, "until": (now + LIFETIME).isoformat()}
    return base64.urlsafe_b64encode(vault.seal(json.dumps(said), _PURPOSE)).decode().rstrip("=")


def unseal(vault: Vault, token: str, now: datetime) -> Invitation | None:
    """None for what we did not seal, and for what is too old."""
    try:
        blob = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        said = json.loads(vault.open(blob, _PURPOSE))
    except (binascii.Error, ValueError, Refused):
        return None
    invitation = Invitation(said["email"], said["referral"], datetime.fromisoformat(said["until"]))
    return invitation if now < invitation.expires_at else None
