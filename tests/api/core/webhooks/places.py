"""An integration that is told of what happens: an address, a secret, and messages to send."""

from datetime import datetime, timedelta
from itertools import count
from secrets import randbelow
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.webhooks import claiming, outbox, secrets
from api.core.webhooks.attempts import Attempt, Failure
from api.core.webhooks.claiming import Claimed
from api.core.webhooks.schedule import Outcome, Verdict, decide
from api.core.webhooks.settling import Tried
from tests.api.core.places import new_place
from tests.product import NOW

OK = Attempt(None, 200, 12, "ok", "192.0.2.1")
BAD = Attempt(Failure.REFUSED, 500, 12, "no", "192.0.2.1")
LONG_AGO = NOW - timedelta(days=400)


_NUMBERS = count(1_000_000 + randbelow(90_000_000))


def told(session: Session, vault: Vault, url: str = "https://partner.example/hooks") -> str:
    """The integration's id."""
    place = new_place(session, vault, f"+4477{next(_NUMBERS):08d}")
    move(session, place.integration_id, url)
    secrets.rotate(session, vault, place.integration_id, timedelta(0), NOW, "test")
    return place.integration_id


def move(session: Session, integration_id: str, url: str | None) -> None:
    query = text("update integrations set webhook_url = :u where id = :i")
    session.execute(query, {"u": url, "i": integration_id})


def endpoint_of(session: Session, integration_id: str) -> str:
    query = text("select id from webhook_endpoints where integration_id = :i and registered")
    return session.scalars(query, {"i": integration_id}).one()


def publish(session: Session, integration_id: str, count: int = 1) -> list[str]:
    """The ids of the messages."""
    made = [
        outbox.publish(session, integration_id, "webhook.test", {"number": number}, LONG_AGO)
        for number in range(count)
    ]
    return [message for message in made if message]


def claim(session: Session, vault: Vault, now: datetime = NOW, most: int = 500) -> list[Claimed]:
    return list(claiming.claim(session, vault, now, lambda _id: True, None, most=most))


def tried(claimed: Claimed, attempt: Attempt = OK, now: datetime = NOW) -> Tried:
    return Tried(claimed, now, attempt, decide(attempt, claimed.attempts, claimed.created_at, now, 0.5))


def given_back(claimed: Claimed) -> Tried:
    return Tried(claimed, NOW, None, Verdict(Outcome.RELEASED, claimed.attempts, NOW))


def delivery(session: Session, delivery_id: str) -> Any:
    query = text("select * from webhook_deliveries where id = :i")
    return session.execute(query, {"i": delivery_id}).mappings().one_or_none()


def attempts(session: Session, delivery_id: str) -> list[Any]:
    query = text("select * from webhook_attempts where delivery_id = :i order by at, number")
    return list(session.execute(query, {"i": delivery_id}).mappings())
