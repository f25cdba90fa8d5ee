"""The owner of incidents, or of rollbacks, is told by name; seen when a channel has accepted the message."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core.alerts import service as alerts
from api.core.alerts import views
from api.core.alerts.catalogue import INCIDENT_FOLLOWUP
from api.core.clock import Clock
from api.core.incidents.acting import Observed
from api.core.preflight import owners
from api.core.preflight.records import Role


@dataclass(frozen=True, slots=True)
class Page:
    role: Role
    env: str
    transaction: Callable[[], AbstractContextManager[Session]]
    clock: Clock

    def act(self, target: str, episode_id: str) -> Mapping[str, Any]:
        with self.transaction() as session:
            name = next((one.name for one in owners.all_owners(session) if one.role is self.role), "")
            who = (
                f"{name}, you are the {self.role.value} owner"
                if name
                else f"No {self.role.value} owner is named"
            )
            alert_id = alerts.raise_(
                session,
                INCIDENT_FOLLOWUP.name,
                f"{episode_id} page {self.role.value} owner",
                env=self.env,
                message=f"{who}: incident {episode_id} needs your decision. {self._why()}",
                now=self.clock(),
            )
        return {"alert_id": alert_id, "owner": name}

    def observe(self, target: str, done: Mapping[str, Any], wall: datetime) -> Observed:
        with self.transaction() as session:
            found = views.alert(session, done["alert_id"], "") if done["alert_id"] else None
        sent = found is not None and any(message.state == "sent" for message in found.messages)
        return Observed(
            sent, "a channel accepted the message." if sent else "No channel has accepted it yet."
        )

    def undo(self, target: str, by: str, reason: str) -> str:
        return ""

    def _why(self) -> str:
        if self.role is Role.ROLLBACK:
            return "The rollback is blocked: the newest deploy carries a migration that cannot be taken back."
        return "No recent deploy explains it: there is nothing to roll back to."
