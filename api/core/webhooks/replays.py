"""Sending a span of messages once more: counted first, then made a piece at a time, until done or cancelled.

A piece and the place behind it are written in one transaction, so a worker that is killed half way neither
skips a message nor sends one twice. The dispatcher and the retry flow advance what runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core import audit
from api.core.errors import Conflict, NotFound
from api.core.ids import new_id
from api.core.webhooks import history_queries

PIECE = 500
"""Messages at a time, and so the rate: a piece each time that the loop beats."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Messages that came up from `since` until `until`, of one type or all; `only_exhausted`: those given up,
    otherwise delivered ones, too."""

    integration_id: str
    endpoint_id: str
    since: datetime
    until: datetime
    type: str | None = None
    only_exhausted: bool = True

    @property
    def given(self) -> dict[str, Any]:
        return {
            "integration": self.integration_id,
            "endpoint": self.endpoint_id,
            "since": self.since,
            "until": self.until,
            "type": self.type,
            "only_exhausted": self.only_exhausted,
        }


def count(session: Session, wanted: Wanted) -> int:
    """What a replay would send: the dry run."""
    return history_queries.count_wanted(session, wanted.given)


def start(session: Session, wanted: Wanted, actor: str, now: datetime) -> tuple[str, int]:
    """(the replay's id, how many messages). Raises `Conflict` for none. Audited."""
    total = count(session, wanted)
    if not total:
        raise Conflict("There is nothing to send again.", fix="Choose another span, type or state.")
    replay_id = new_id("rpl")
    history_queries.add_replay(
        session, wanted.given | {"id": replay_id, "total": total, "by": actor, "now": now}
    )
    audit.record(session, actor, "webhooks.replay", wanted.integration_id, now, {"replay_id": replay_id})
    return replay_id, total


def advance(session: Session, now: datetime, most: int = PIECE) -> int:
    """How many messages of a running replay were looked at; 0 when none runs."""
    found = history_queries.running_replay(session)
    if found is None:
        return 0
    wanted = Wanted(
        found["integration_id"],
        found["endpoint_id"],
        found["since"],
        found["until"],
        found["type"],
        found["only_exhausted"],
    )
    messages = history_queries.next_wanted(session, wanted.given | {"place": found["place"]}, most)
    made = history_queries.replay(
        session, found["id"], wanted.endpoint_id, messages, not wanted.only_exhausted, now
    )
    state = "running" if len(messages) == most else "done"
    place = messages[-1] if messages else found["place"]
    history_queries.move_replay(session, found["id"], place, made, state, now)
    return len(messages)


@dataclass(frozen=True, slots=True)
class ReplayView:
    """`made` deliveries so far, of `total` messages."""

    id: str
    integration_id: str
    endpoint_id: str
    since: datetime
    until: datetime
    type: str | None
    only_exhausted: bool
    state: str
    total: int
    made: int
    created_at: datetime
    ended_at: datetime | None


def of_integrations(session: Session, integration_ids: Sequence[str], limit: int) -> Sequence[ReplayView]:
    """Newest first."""
    return [
        ReplayView(**{name: row[name] for name in ReplayView.__dataclass_fields__})
        for row in history_queries.replays(session, integration_ids, limit)
    ]


def cancel(session: Session, integration_id: str, replay_id: str, actor: str, now: datetime) -> None:
    """What it has sent stays sent. Raises `NotFound` for one that does not run (any more). Audited."""
    if not history_queries.cancel_replay(session, replay_id, [integration_id], now):
        raise NotFound(f"No replay {replay_id!r} is running.", fix="Look at the list.")
    audit.record(session, actor, "webhooks.replay.cancel", integration_id, now, {"replay_id": replay_id})
