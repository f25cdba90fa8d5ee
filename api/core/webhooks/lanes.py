"""An endpoint's queue in a dispatcher's process: what was claimed for it, and when its secrets were read."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from api.core.errors import Refused
from api.core.webhooks.breaker import OPEN_AFTER
from api.core.webhooks.claiming import LEASE, Claimed
from api.core.webhooks.signing import Signer

KEYS_GOOD_FOR_S = 1.0
"""Secrets that were read longer ago are read again, for a lane that takes that long."""

KEYS_END_S = 10.0
"""Nothing is signed by secrets that were read longer ago than that, whatever hinders reading them again. A
secret that has ended may sign beside the others for so long, in a process that read it before: a rotation
waits for that, or says so, when it proves that the old one is refused."""

_LAST_START_S = LEASE.total_seconds() - 25  # an attempt's deadline, and time to settle it


@dataclass
class Lane:
    """`moved` is when it last got on; `unsigned` says why nothing can be signed. All moments are monotonic
    seconds."""

    waiting: deque[Claimed] = field(default_factory=deque[Claimed])
    flying: int = 0
    failures: int = 0
    moved: float = field(default_factory=monotonic)
    signer: Signer = field(default_factory=lambda: Signer([]))
    unsigned: str = ""
    keys_read: float = 0.0
    _last_start: float = 0.0

    def claimed(self, more: Sequence[Claimed], at: float) -> None:
        """As of a claim that was made then, with the secrets of then."""
        self._last_start = at + _LAST_START_S
        self.sign_by(more[0].endpoint.keys, at)
        self.waiting.extend(more)

    def sign_by(self, keys: Sequence[str], at: float) -> None:
        self.keys_read, self.unsigned = at, "" if keys else "The integration has no signing secret."
        try:
            self.signer = Signer(keys)
        except Refused as refused:
            self.unsigned = str(refused)

    @property
    def closed(self) -> bool:
        """To what has not been started yet."""
        last_start = min(self._last_start, self.keys_read + KEYS_END_S)
        return self.failures >= OPEN_AFTER or monotonic() > last_start

    @property
    def room(self) -> int:
        if not self.waiting:
            return 0
        return max(0, min(self.waiting[0].endpoint.concurrency - self.flying, len(self.waiting)))
