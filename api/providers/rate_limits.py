"""How long a vendor asks to be left alone, in each of the forms in which they say it.

Retry-After: 12                     seconds, or a date (RFC 9110)
X-RateLimit-Reset-After: 0.65       seconds (Discord)
RateLimit-Reset, X-RateLimit-Reset  seconds from now or since 1970: which one is seen from the number
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_RELATIVE = ("retry-after", "x-ratelimit-reset-after")
_EITHER = ("ratelimit-reset", "x-ratelimit-reset")
_IS_A_MOMENT = 1_000_000_000  # seconds since 1970, in 2001; nobody asks for 30 years of patience
_IN_MILLISECONDS = 1_000_000_000_000


def wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds, never negative; None when nothing is said that can be read. `headers` by lower-case name."""
    for name in (*_RELATIVE, *_EITHER):
        if (said := headers.get(name)) is not None and (found := _seconds(said, now)) is not None:
            return max(0.0, found)
    return None


def _seconds(said: str, now: datetime) -> float | None:
    try:
        number = float(said)
    except ValueError:
        return _until(said, now)
    if not 0 <= number < float("inf"):
        return None
    if number >= _IN_MILLISECONDS:
        number /= 1000
    return number - now.timestamp() if number >= _IS_A_MOMENT else number


def _until(said: str, now: datetime) -> float | None:
    """Of a date; some write it as ISO 8601."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(said)
        except (ValueError, OverflowError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return None
