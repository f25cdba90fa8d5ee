"""Deliveries are held: nothing is lost, and from now on nothing is claimed."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.flags import service as flags
from api.core.flags.rules import EVERYWHERE, FlagKey
from api.core.incidents.acting import Observed
from api.core.incidents.opening import ACTOR
from api.core.webhooks import stops
from api.core.webhooks.standing import standing

WATCHED_FOR = timedelta(seconds=3)
_KEY = FlagKey.WEBHOOK_RETRIES_PAUSED


@dataclass(frozen=True, slots=True)
class PauseRetries:
    transaction: Callable[[], AbstractContextManager[Session]]
    clock: Clock

    def act(self, target: str, episode_id: str) -> Mapping[str, Any]:
        """A claim reads the flag in its own transaction: one that began before the pause may end after it,
        so claims are counted once the pause is committed."""
        reason = f"incident {episode_id}"
        with self.transaction() as session:
            flags.set_value(session, _KEY, EVERYWHERE, True, by=ACTOR, reason=reason, now=self.clock())
        with self.transaction() as session:
            return {"claims": stops.claims(session)}

    def observe(self, target: str, done: Mapping[str, Any], wall: datetime) -> Observed:
        with self.transaction() as session:
            paused = flags.reading(session, _KEY, {})(EVERYWHERE)
            claims, held = stops.claims(session), standing(session, self.clock(), lambda _: False).held
        if not paused:
            return Observed(False, "The pause does not hold any more.")
        if claims != done["claims"]:
            return Observed(False, f"{claims - done['claims']} claims since the pause.")
        if self.clock() - wall < WATCHED_FOR:
            return Observed(False, "Watched for too short a time.")
        return Observed(True, f"no delivery was claimed since the pause; {held} are due and held.")

    def undo(self, target: str, by: str, reason: str) -> str:
        with self.transaction() as session:
            if flags.switches(session, _KEY, [EVERYWHERE])[0].changed_by != ACTOR:
                return ""
            changed = flags.set_value(
                session, _KEY, EVERYWHERE, False, by=by, reason=reason, now=self.clock()
            )
        return f"{_KEY.value} off" if changed else ""
