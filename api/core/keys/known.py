"""Keys that were recognised a moment ago, kept in memory.

A key is trusted for `TRUST_S` after it was looked up and only while changes of keys are heard of
(`hearing`): the lookup is the truth, the notice only shortens the time until it is asked again. When a key
expires is compared with the clock at every call. Entries are found by the SHA-256 of the whole plaintext, so
finding one takes no time that depends on how much of a guess is right.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

TRUST_S = 30.0
TOUCH_S = 60.0
_MAX = 20_000


@dataclass(frozen=True, slots=True)
class KnownKey:
    id: str
    integration_id: str
    secret_sha256: bytes
    expires_at: datetime | None
    last_used_at: datetime | None

    def valid(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


@dataclass(slots=True)
class _Entry:
    key: KnownKey
    looked_up: float


class KnownKeys:
    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._entries: dict[bytes, _Entry] = {}
        self._digests: dict[str, bytes] = {}
        self._touched: dict[str, float] = {}
        self.changes = 0
        self.hearing = False

    def get(self, plaintext: bytes) -> KnownKey | None:
        """The key, if it is known well enough; whether it has expired is for the caller to ask."""
        entry = self._entries.get(hashlib.sha256(plaintext).digest())
        if entry is None or not self.hearing or self._monotonic() - entry.looked_up > TRUST_S:
            return None
        return entry.key

    def get_settled(self, plaintext: bytes) -> KnownKey | None:
        """The key, if it is known well enough and its use was written down within the last minute."""
        key = self.get(plaintext)
        if key is None or self._monotonic() - self._touched.get(key.id, -TOUCH_S) >= TOUCH_S:
            return None
        return key

    def was_good(self, plaintext: bytes) -> bool:
        """It was recognised before, if not recently enough."""
        return hashlib.sha256(plaintext).digest() in self._entries

    def add(self, plaintext: bytes, key: KnownKey, changes: int) -> None:
        """`changes` as it was before the lookup: what was heard of since then makes the finding stale."""
        if changes != self.changes:
            return
        if len(self._entries) >= _MAX:
            self.forget_all()
        digest = hashlib.sha256(plaintext).digest()
        self._entries[digest] = _Entry(key, self._monotonic())
        self._digests[key.id] = digest

    def forget(self, key_id: str) -> None:
        self.changes += 1
        self._entries.pop(self._digests.pop(key_id, b""), None)

    def stand(self, hearing: bool) -> None:
        """Changes are heard of from now on, or not any more: in between, some may have been missed."""
        self.hearing = hearing
        self.forget_all()

    def forget_all(self) -> None:
        self.changes += 1
        self._entries.clear()
        self._digests.clear()

    def due_for_touch(self, key_id: str) -> bool:
        """True at most once per `TOUCH_S` for a key: its use is to be written down."""
        now = self._monotonic()
        if now - self._touched.get(key_id, -TOUCH_S) < TOUCH_S:
            return False
        if len(self._touched) >= _MAX:
            self._touched.clear()
        self._touched[key_id] = now
        return True
