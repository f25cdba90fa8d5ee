"""Where an integration's events go: the registered address, and others beside it, by event type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from api.core import audit
from api.core.errors import Conflict, NotFound, Refused
from api.core.ids import new_id
from api.core.webhooks import events, history_queries, targets
from api.core.webhooks.breaker import OPEN_AFTER

MOST = 10
State = Literal["enabled", "disabled"]
Breaker = Literal["closed", "slowed", "open"]


@dataclass(frozen=True, slots=True)
class EndpointView:
    """No `event_types` means all. `registered`: it follows the integration's webhook address. `open` and
    `exhausted` count deliveries; `next_attempt_at` is that of the first of the open ones."""

    id: str
    integration_id: str
    registered: bool
    url: str
    event_types: Sequence[str]
    state: State
    disabled_reason: str
    failures: int
    not_before: datetime | None
    open: int
    exhausted: int
    next_attempt_at: datetime | None
    created_at: datetime

    def breaker(self, now: datetime) -> Breaker:
        if self.not_before is None or self.not_before <= now:
            return "closed"
        return "open" if self.failures >= OPEN_AFTER else "slowed"

    def oldest_due_seconds(self, now: datetime) -> float:
        """How long the first of the open ones has been due; 0 when none is."""
        return max(0.0, (now - self.next_attempt_at).total_seconds()) if self.next_attempt_at else 0.0


def of_integrations(session: Session, integration_ids: Sequence[str]) -> Sequence[EndpointView]:
    """Oldest first, without removed ones."""
    return [_view(row) for row in history_queries.endpoints(session, integration_ids)]


def of_integration(session: Session, integration_id: str, endpoint_id: str) -> EndpointView:
    """Raises `NotFound`, for another integration's as for none."""
    for one in of_integrations(session, [integration_id]):
        if one.id == endpoint_id:
            return one
    raise NotFound(f"There is no endpoint {endpoint_id!r}.", fix="Check the id, and whose it is.")


def add(
    session: Session,
    integration_id: str,
    url: str,
    event_types: Sequence[str],
    loopback_allowed: bool,
    actor: str,
    now: datetime,
) -> str:
    """The id. Raises `Refused` (`webhook_url_not_allowed`, `refused` for a type that nobody knows) and
    `Conflict` for too many. Audited."""
    targets.parse(url, loopback_allowed)
    known = of_integrations(session, [integration_id])
    if len(known) >= MOST:
        raise Conflict(f"An integration has at most {MOST} endpoints.", fix="Remove one first.")
    endpoint_id = new_id("whe")
    history_queries.add_endpoint(
        session,
        {
            "id": endpoint_id,
            "integration_id": integration_id,
            "url": url,
            "event_types": _types(event_types),
            "now": now,
        },
    )
    audit.record(session, actor, "webhooks.endpoint.add", integration_id, now, {"endpoint_id": endpoint_id})
    return endpoint_id


def change(
    session: Session,
    found: EndpointView,
    actor: str,
    now: datetime,
    event_types: Sequence[str] | None = None,
    state: State | None = None,
) -> None:
    """What is None stays. Enabling forgets past failures: what was held goes out. Audited."""
    reason = {"enabled": "", "disabled": "Switched off by hand.", None: None}[state]
    types = None if event_types is None else _types(event_types)
    history_queries.change_endpoint(session, found.id, types, state, reason)
    said = {"endpoint_id": found.id, "event_types": types, "state": state}
    audit.record(session, actor, "webhooks.endpoint.change", found.integration_id, now, said)


def remove(session: Session, found: EndpointView, actor: str, now: datetime) -> None:
    """Raises `Conflict` for the registered one, which goes with the integration's address. Audited."""
    if found.registered:
        raise Conflict("This is the integration's own address.", fix="Change it under Integrate.")
    history_queries.change_endpoint(session, found.id, state="removed")
    audit.record(
        session, actor, "webhooks.endpoint.remove", found.integration_id, now, {"endpoint_id": found.id}
    )


def _types(asked: Sequence[str]) -> list[str]:
    unknown = sorted(set(asked) - set(events.TYPES))
    if unknown:
        raise Refused(f"{unknown[0]!r} is no event type.", fix=f"Choose from {', '.join(events.TYPES)}.")
    return list(dict.fromkeys(asked))


def _view(row: Mapping[Any, Any]) -> EndpointView:
    names = EndpointView.__dataclass_fields__
    return EndpointView(**{name: row[name] for name in names})
