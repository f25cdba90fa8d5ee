"""Which value of a flag holds: a pure function of what is stored, how old that knowledge is, and overrides.

A flag is *tripped* where its value is not the normal one. Tripped everywhere, for a space, or for one scope
in it: either is enough. An override from the environment has the last word, the one that names the scope
before those that name more: it is what works when the database does not.

Without the store (never read, or not read for `TRUSTED_FOR_SECONDS`) new entries are refused, because a pause
might have been set meanwhile; for live tenants the last known value holds, and the normal one where nothing
was ever known.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from api.core.errors import Refused

EVERYWHERE = ""
"""The scope of a global switch."""

TRUSTED_FOR_SECONDS = 30.0


class FlagKey(StrEnum):
    INTEGRATION_ENABLED = "integration_enabled"
    ONBOARDING_PAUSED = "onboarding_paused"
    WEBHOOK_RETRIES_PAUSED = "webhook_retries_paused"


NORMAL: Mapping[FlagKey, bool] = {
    FlagKey.INTEGRATION_ENABLED: True,
    FlagKey.ONBOARDING_PAUSED: False,
    FlagKey.WEBHOOK_RETRIES_PAUSED: False,
}
MEANING: Mapping[FlagKey, str] = {
    FlagKey.INTEGRATION_ENABLED: "Partners' calls are answered; off: each is turned away with 403.",
    FlagKey.ONBOARDING_PAUSED: "While it is paused, new people are refused; who has joined already goes on.",
    FlagKey.WEBHOOK_RETRIES_PAUSED: "While they are paused, deliveries wait; nothing is lost.",
}
SCOPES: Mapping[FlagKey, Sequence[str]] = {
    FlagKey.INTEGRATION_ENABLED: ("int",),
    FlagKey.ONBOARDING_PAUSED: ("spc",),
    FlagKey.WEBHOOK_RETRIES_PAUSED: ("int", "spc"),
}
"""The prefixes of the ids that a flag can be set for."""

Values = Mapping[tuple[FlagKey, str], bool]
"""(key, scope) → value. What is absent has the normal value."""

_OVERRIDE = re.compile(r"(?P<key>[a-z_]+)(:(?P<scope>[a-z]+_[a-z0-9]+))?=(?P<value>on|off)")


def effective(
    key: FlagKey,
    scope: str,
    stored: Values | None,
    age_seconds: float,
    overrides: Values,
    within: str = EVERYWHERE,
) -> bool:
    """`stored` is None where the store was never read; `age_seconds` since it was read last. `within`: the
    space that the scope belongs to, where the flag can be set for that, too."""
    for place in (scope, within, EVERYWHERE):
        override = overrides.get((key, place))
        if override is not None:
            return override
    known = stored is not None and age_seconds <= TRUSTED_FOR_SECONDS
    if key is FlagKey.ONBOARDING_PAUSED and not known:
        return True
    normal = NORMAL[key]
    values = stored or {}
    return normal != any(values.get((key, place), normal) != normal for place in (EVERYWHERE, within, scope))


def values_of(rows: Iterable[tuple[str, str, bool]]) -> Values:
    """From rows of (key, scope, value); a key that this release does not know is left out."""
    known = {key.value: key for key in FlagKey}
    return {(known[key], scope): value for key, scope, value in rows if key in known}


def fingerprint(stored: Values) -> str:
    """The same for the same values: what a process goes by, in a word that can be compared."""
    written = sorted(
        f"{key}:{scope}={value}" for (key, scope), value in stored.items() if value != NORMAL[key]
    )
    return hashlib.sha256("\n".join(written).encode()).hexdigest()[:16]


def parse_overrides(text: str) -> Values:
    """`onboarding_paused=on,integration_enabled:int_x=off` → values. Raises `Refused`."""
    found: dict[tuple[FlagKey, str], bool] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        written = _OVERRIDE.fullmatch(part)
        if written is None or written["key"] not in set(FlagKey):
            raise Refused(f"{part!r} is not a flag.", fix=f"Write {_SYNTAX}, separated by commas.")
        key, scope = FlagKey(written["key"]), written["scope"] or EVERYWHERE
        check_scope(key, scope)
        value = written["value"] == "on"
        if found.setdefault((key, scope), value) != value:
            raise Refused(f"{part!r} contradicts an earlier part.", fix="Name each flag once.")
    return found


def check_scope(key: FlagKey, scope: str) -> None:
    """Raises `Refused` for an id of the wrong kind."""
    if scope != EVERYWHERE and scope.partition("_")[0] not in SCOPES[key]:
        kinds = " or ".join(f"{prefix}_" for prefix in SCOPES[key])
        raise Refused(
            f"{key.value} cannot be set for {scope!r}.",
            fix=f"Name an id that begins with {kinds}, or none for everywhere.",
        )


_SYNTAX = "KEY=on|off or KEY:ID=on|off with KEY one of " + ", ".join(FlagKey)
