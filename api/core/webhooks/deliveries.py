"""Deliveries as people see them: a page of an endpoint's, one with all its attempts, and one sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from api.core import audit
from api.core.errors import Conflict, NotFound, Refused
from api.core.webhooks import endpoints, history_queries

State = Literal["open", "exhausted", "delivered"]
_PREFIX = "dlv_"


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """`at`: when it came up, of a delivered one when it arrived. `body` is "" once the message is dropped."""

    id: str
    message_id: str
    endpoint_id: str
    type: str
    state: State
    in_flight: bool
    attempts: int
    next_attempt_at: datetime | None
    at: datetime
    body: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    number: int
    outcome: str
    at: datetime
    latency_ms: int
    status: int | None
    failure: str | None
    detail: str
    address: str
    response: str


def public_id(delivery_id: str) -> str:
    """As pages and the API call it."""
    return _PREFIX + UUID(delivery_id).hex


def page(
    session: Session, endpoint_id: str, state: State | None, behind: str | None, limit: int
) -> tuple[Sequence[DeliveryView], str | None]:
    """Newest first, and the id that the next page is behind. Raises `Refused` (`cursor_invalid`)."""
    place = _uuid(behind) if behind else None
    if behind and place is None:
        raise Refused(
            "The cursor is not one of ours.", fix="Start again without a cursor.", code="cursor_invalid"
        )
    rows = history_queries.deliveries(session, endpoint_id, state, place, limit + 1)
    messages = history_queries.messages(session, [row["message_id"] for row in rows[:limit]])
    found = [_view(row["id"], row, messages.get(row["message_id"])) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else None


def one(
    session: Session, integration_id: str, delivery_id: str
) -> tuple[DeliveryView, Sequence[AttemptView]]:
    """With its attempts, oldest first. Raises `NotFound`, for another integration's as for none."""
    given, row = _find(session, integration_id, delivery_id)
    message = history_queries.messages(session, [row["message_id"]]).get(row["message_id"])
    tries = history_queries.attempts(session, row["endpoint_id"], given)
    return _view(given, row, message), [
        AttemptView(**{name: attempt[name] for name in AttemptView.__dataclass_fields__}) for attempt in tries
    ]


def resend(session: Session, integration_id: str, delivery_id: str, actor: str, now: datetime) -> str:
    """The id of the delivery that is due now: the same one, or another of a message that was delivered.

    Raises `NotFound`, and `Conflict` while it is in flight or when its message is no longer kept. Audited."""
    given, row = _find(session, integration_id, delivery_id)
    if row["state"] == "delivered":
        again = history_queries.redeliver(session, row["message_id"], row["endpoint_id"], now)
    else:
        again = history_queries.reopen(session, given, now)
    if again is None:
        raise Conflict(
            "It cannot be sent again now.",
            fix="Wait a minute: it may be on its way. What is dropped, or about somebody deleted, is gone.",
        )
    audit.record(session, actor, "webhooks.resend", integration_id, now, {"delivery_id": delivery_id})
    return _PREFIX + again.hex


def _find(session: Session, integration_id: str, delivery_id: str) -> tuple[UUID, Mapping[Any, Any]]:
    given = _uuid(delivery_id)
    mine = [one.id for one in endpoints.of_integrations(session, [integration_id])]
    row = history_queries.delivery(session, given, mine) if given and mine else None
    if given is None or row is None:
        raise NotFound(f"There is no delivery {delivery_id!r}.", fix="Check the id, and whose it is.")
    return given, row


def _uuid(delivery_id: str) -> UUID | None:
    try:
        return UUID(delivery_id.removeprefix(_PREFIX)) if delivery_id.startswith(_PREFIX) else None
    except ValueError:
        return None


def _view(delivery_id: UUID, row: Mapping[Any, Any], message: Mapping[Any, Any] | None) -> DeliveryView:
    return DeliveryView(
        id=_PREFIX + delivery_id.hex,
        message_id=f"msg_{row['message_id'].hex}",
        endpoint_id=row["endpoint_id"],
        type=message["type"] if message else "",
        state=row["state"],
        in_flight=row["in_flight"],
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"],
        at=row["created_at"],
        body=bytes(message["body"]).decode() if message else "",
    )
