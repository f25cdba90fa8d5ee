"""A flag that is set, and seen to hold in every API process that lives: each says which flags it goes by."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.flags import service as flags
from api.core.flags.rules import FlagKey
from api.core.incidents import telemetry
from api.core.incidents.acting import Observed
from api.core.incidents.opening import ACTOR


@dataclass(frozen=True, slots=True)
class Switch:
    """`refused` sends a canary for the target: "" when it was refused as it should be, else what happened."""

    key: FlagKey
    value: bool
    refused: Callable[[str], str]
    transaction: Callable[[], AbstractContextManager[Session]]
    clock: Clock

    def act(self, target: str, episode_id: str) -> Mapping[str, Any]:
        reason = f"incident {episode_id}"
        with self.transaction() as session:
            changed = flags.set_value(
                session, self.key, target, self.value, by=ACTOR, reason=reason, now=self.clock()
            )
        return {"changed": changed}

    def observe(self, target: str, done: Mapping[str, Any], wall: datetime) -> Observed:
        with self.transaction() as session:
            wanted = flags.fingerprint(session)
            living = telemetry.instances(session, telemetry.database_now(session))
        behind = [one.name for one in living if one.flags != wanted or one.seen_at <= wall]
        if not living or behind:
            return Observed(
                False, f"Not all API processes go by it yet: {', '.join(behind) or 'none lives'}."
            )
        wrong = self.refused(target)
        if wrong:
            return Observed(False, wrong)
        return Observed(True, f"all {len(living)} API processes go by it, and a canary was refused.")

    def undo(self, target: str, by: str, reason: str) -> str:
        """What a person has set meanwhile, or had set before, is theirs."""
        with self.transaction() as session:
            if flags.switches(session, self.key, [target])[0].changed_by != ACTOR:
                return ""
            changed = flags.set_value(
                session, self.key, target, not self.value, by=by, reason=reason, now=self.clock()
            )
        word = "on" if not self.value else "off"
        return f"{self.key.value} {target} {word}".replace("  ", " ") if changed else ""
