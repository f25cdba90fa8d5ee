"""What must not reach a log, whoever writes the line: credentials are cut, addresses and numbers of people
masked.

By shape, wherever they stand in a text, and by the name of a field. What has no shape, such as a secret that
somebody made up, is kept out by not being logged.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from api.core.masking import masked

CUT = "[redacted]"
_DEEPEST = 6
_NAMES = frozenset(
    {
        "api_key",
        "authorization",
        "code",
        "code_verifier",
        "cookie",
        "data_key",
        "password",
        "private_key",
        "secret",
        "set-cookie",
        "token",
    }
)
_PERSONAL = re.compile(r"[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|\+[1-9]\d{6,14}\b")
CREDENTIAL = re.compile(
    r"""
      \bfu_live_[0-9a-z]{16}_[0-9a-z]+                          # our API keys
    | \bwhsec_[A-Za-z0-9+/=_-]{16,}                             # signing secrets of webhooks
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]* # JSON Web Tokens
    | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}              # SendGrid
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                             # AWS
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}                          # Slack
    | (?<=hooks\.slack\.com/)[A-Za-z0-9/_-]+
    | (?<=/api/webhooks/)\d+/[A-Za-z0-9_-]+                     # Discord
    | (?<=://)[^\s/:@'"]{0,100}:[^\s/@'"]{1,200}(?=@)           # user and password of an address
    | (?<=[Bb]earer\ )[A-Za-z0-9._~+/=-]{8,}
    | (?<=[Bb]asic\ )[A-Za-z0-9+/=]{8,}
    | (?<=(?:/w|/p)/)[A-Za-z0-9_-]{20,}                         # links that open whoever has them
    | (?<=/w/embed/)[A-Za-z0-9_-]{20,}
    | (?<=/ack/)[A-Za-z0-9_-]{16,} | (?<=/duty/)[A-Za-z0-9_-]{16,}
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----[\s\S]*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|$)
    """,
    re.VERBOSE,
)


def text(value: str) -> str:
    cut = CREDENTIAL.sub(CUT, value)
    return _PERSONAL.sub(lambda found: masked(found[0]), cut)


def field(name: str, value: Any) -> Any:
    """The value as it may be shown under this name."""
    if value is not None and not isinstance(value, bool) and name.lower() in _NAMES:
        return CUT
    return anything(value)


def anything(value: Any, deep: int = 0) -> Any:
    """Strings within lists and mappings, too; what lies deeper than anybody reads is cut."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes):
        return text(value.decode(errors="replace"))
    if value is None or isinstance(value, int | float):
        return value
    if deep >= _DEEPEST:
        return CUT
    if isinstance(value, Mapping):
        found = cast("Mapping[Any, Any]", value)
        return {
            text(str(key)): CUT if str(key).lower() in _NAMES else anything(one, deep + 1)
            for key, one in found.items()
        }
    if isinstance(value, Sequence | set | frozenset):
        return [anything(one, deep + 1) for one in cast("Sequence[Any]", value)]
    return text(str(value))
