"""Keys and secrets as the Integrate page lists them: which work, which is ending, and whether it is still in
use."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.core.keys.rules import WORKING
from api.core.keys.service import KeyView
from api.core.rotation.kinds import SWITCHED
from api.core.rotation.steps import Step
from api.core.webhooks.secrets import SecretView
from api.http.services import Services

_STILL_USED = "Still in use since the rotation: put the new key in place before this one ends."
_UNUSED = "Not used since the rotation."


@dataclass(frozen=True, slots=True)
class Overlap:
    """An old webhook secret that still works: when the new one was last tried alone, and how it went."""

    tried_at: datetime | None = None
    ok: bool = False
    observed: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """A key or secret in the list; `hint` says of one that is ending whether it is still in use."""

    id: str
    label: str
    state: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    in_use: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Newest first. `first` while there has never been any."""

    working: Sequence[Credential]
    earlier: Sequence[Credential]

    @property
    def first(self) -> bool:
        return not self.working and not self.earlier

    @property
    def ending(self) -> Credential | None:
        return next((one for one in self.working if one.state == "ending"), None)


def overlap(at: Services, name: str) -> Overlap | None:
    """None while no old one is about to end."""
    found = at.rotations.running(name)
    if found is None or found.step is not Step.RETIRE:
        return None
    tried = [proof for proof in found.proofs if proof["name"] == SWITCHED]
    last = max(tried, key=lambda proof: proof["at"], default=None)
    if last is None:
        return Overlap()
    return Overlap(datetime.fromisoformat(last["at"]), last["ok"], last["observed"])


def of_keys(known: Sequence[KeyView], now: datetime) -> Credentials:
    newest = known[0].created_at if known else now
    made: list[Credential] = []
    for key in known:
        used = key.last_used_at is not None and key.last_used_at > newest
        said = _STILL_USED if used else _UNUSED
        made.append(
            Credential(
                id=key.id,
                label=key.masked,
                state=key.state(now),
                created_at=key.created_at,
                last_used_at=key.last_used_at,
                expires_at=key.expires_at,
                revoked_at=key.revoked_at,
                in_use=used,
                hint=said if key.state(now) == "ending" else "",
            )
        )
    return _sorted(made)


def of_secrets(known: Sequence[SecretView], now: datetime) -> Credentials:
    return _sorted(
        [
            Credential(
                id=secret.id,
                label=secret.id,
                state=secret.state(now),
                created_at=secret.created_at,
                last_used_at=secret.last_used_at,
                expires_at=secret.expires_at,
                revoked_at=secret.revoked_at,
            )
            for secret in known
        ]
    )


def _sorted(known: Sequence[Credential]) -> Credentials:
    working = [one for one in known if one.state in WORKING]
    return Credentials(working, [one for one in known if one.state not in WORKING])
