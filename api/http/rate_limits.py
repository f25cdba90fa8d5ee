"""How many calls a key may make, and how many bad keys an address may try: token buckets in this process.

The headers are those of draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy: "key";q=…;w=…` says how many
calls fit into how many seconds, `RateLimit: "key";r=…;t=…` how many are left and when all are there again.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

VISITS_BURST = 300
VISITS_PER_SECOND = 10.0
JOINING_BURST, JOINING_PER_SECOND = 10, 10 / 3600
JOINING_AGAIN_BURST, JOINING_AGAIN_PER_SECOND = 3, 3 / 3600
JOINING_ALL_BURST, JOINING_ALL_PER_SECOND = 500, 500 / 86_400
FAILURES_BURST = 200
FAILURES_PER_SECOND = 1.0
_MAX_BUCKETS = 10_000

RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """`remaining` whole calls, all of them again in `reset` seconds; `retry_after` > 0: not allowed now."""

    remaining: int
    reset: int
    retry_after: int


class Buckets:
    """A bucket of `burst` tokens per name, refilled at `per_second`. The names used least recently go first:
    beyond `max_buckets` a forgotten one starts full again."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        now: Callable[[], float] = time.monotonic,
        max_buckets: int = _MAX_BUCKETS,
    ) -> None:
        self._rate, self._burst, self._now, self._max = per_second, burst, now, max_buckets
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> Taken:
        """One token, if there is one."""
        tokens, now = self._tokens(name), self._now()
        allowed = tokens >= 1
        tokens -= allowed
        self._buckets[name] = (tokens, now)
        if len(self._buckets) > self._max:
            del self._buckets[next(iter(self._buckets))]
        wait = 0 if allowed else math.ceil((1 - tokens) / self._rate)
        return Taken(int(tokens), math.ceil((self._burst - tokens) / self._rate), wait)

    def empty(self, name: str) -> int:
        """Seconds until there is a token; 0 when there is one. Takes none."""
        known = self._buckets.get(name)
        if known is None:
            return 0
        tokens = min(self._burst, known[0] + (self._now() - known[1]) * self._rate)
        return 0 if tokens >= 1 else math.ceil((1 - tokens) / self._rate)

    def __len__(self) -> int:
        return len(self._buckets)

    def _tokens(self, name: str) -> float:
        known = self._buckets.pop(name, None)
        if known is None:
            return self._burst
        return min(self._burst, known[0] + (self._now() - known[1]) * self._rate)


class RateLimits:
    """`of_key` for every authenticated call. By network (`client_network`): `failed` and `blocked` for those
    who try bad keys, `visited` for those who look at pages of visitors;
    `joining` for the homepage's mails."""

    def __init__(self, per_second: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._keys = Buckets(per_second, burst, now)
        self._failures = Buckets(FAILURES_PER_SECOND, FAILURES_BURST, now)
        self._visits = Buckets(VISITS_PER_SECOND, VISITS_BURST, now)
        self._joining = Buckets(JOINING_PER_SECOND, JOINING_BURST, now)
        self._joining_again = Buckets(JOINING_AGAIN_PER_SECOND, JOINING_AGAIN_BURST, now)
        self._joining_all = Buckets(JOINING_ALL_PER_SECOND, JOINING_ALL_BURST, now)
        self._policy = b'"key";q=%d;w=%d' % (burst, max(1, math.ceil(burst / per_second)))

    def of_key(self, key_id: str) -> Taken:
        return self._keys.take(key_id)

    def headers(self, taken: Taken) -> RawHeaders:
        left = b'"key";r=%d;t=%d' % (taken.remaining, taken.reset)
        return ((b"ratelimit-policy", self._policy), (b"ratelimit", left))

    def visited(self, network: str) -> int:
        """Count a look; seconds to wait when there were too many, else 0."""
        return self._visits.take(network).retry_after

    def joining(self, network: str, address: str) -> int:
        """Count a mail to the address, asked for from the network; seconds to wait when there were too many
        from there, to there or in all, else 0."""
        return max(
            self._joining.take(network).retry_after,
            self._joining_again.take(address).retry_after,
            self._joining_all.take("").retry_after,
        )

    def failed(self, network: str) -> int:
        """Count a bad key; seconds to wait when there were too many, else 0."""
        return self._failures.take(network).retry_after

    def blocked(self, network: str) -> int:
        """Seconds that it has to wait before another unknown key of its is looked at, else 0."""
        return self._failures.empty(network)
