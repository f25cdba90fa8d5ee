"""The daily prune drops what has ended, and nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.access import codes, starts, waitlist
from api.core.access.starts import Way
from api.core.crypto import Signer, Vault
from api.core.founders import identifiers, login
from api.core.idempotency import service as idempotency
from api.core.idempotency.service import Call, Stored
from api.db.engine import session_scope
from flows import housekeeping, wiring
from tests.api.core.places import new_place
from tests.api.core.webhooks.places import endpoint_of, told
from tests.product import SESSION_SECRET, engine, product_url, vault
from tests.webhooks.dispatching import clear

ROOT = Path(housekeeping.__file__).parents[1]
__all__ = ["engine", "product_url", "vault"]


def leave(session: Session, vault: Vault, phone: str, then: datetime) -> None:
    """One code, one start, one key and one login code of that moment."""
    place = new_place(session, vault, phone)
    entry_id = waitlist.join(session, vault, place.integration_id, "anna", then)
    started = starts.start(session, entry_id, place.integration_id, Way("redirect"), then)
    codes.issue(session, entry_id, place.integration_id, then, start_id=started.id)
    call = Call.of(place.integration_id, "POST /x", "key", b"")
    idempotency.claim(session, vault, call, then)
    idempotency.answer(session, vault, call, then, Stored(200, "{}"))
    asked = login.Asked(identifiers.phone(phone), "browser", "198.51.100.1")
    login.start(session, vault, Signer([SESSION_SECRET], "test"), asked, then, [], None)


def test_what_ended_long_ago_goes_and_what_may_be_needed_stays(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "transaction", lambda: session_scope(engine))
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        leave(session, vault, "+447700900911", now - timedelta(days=9))
        leave(session, vault, "+447700900912", now - timedelta(hours=23))
    assert housekeeping.prune_now() == {
        "codes": 1,
        "starts": 1,
        "keys": 1,
        "logins": 1,
        "webhooks": 0,
        "alerts": 0,
    }
    assert housekeeping.prune_now() == {
        "codes": 0,
        "starts": 0,
        "keys": 0,
        "logins": 0,
        "webhooks": 0,
        "alerts": 0,
    }


def test_webhooks_go_after_thirty_days_and_no_sooner(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bodies and what partners answered, by the message and by the day; what is open of late stays."""
    monkeypatch.setattr(wiring, "transaction", lambda: session_scope(engine))
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        session.execute(_KEEP_DAYS, {"first": now - timedelta(days=33), "last": now})
        endpoint = endpoint_of(session, told(session, vault))
        old, young, waiting = (
            message(session, endpoint, now - timedelta(days=days)) for days in (32, 29, 29)
        )
        session.execute(_OPEN, {"message": waiting, "endpoint": endpoint})
    gone = housekeeping.prune_now()["webhooks"]
    with session_scope(engine) as session:
        left = [set(session.scalars(text(f"select {column}"))) for column in _KEPT]
    assert left == [{young, waiting}] * 2
    assert gone == 4  # a message, and the days 33, 32 and 31 days ago
    assert old not in left[0]
    assert housekeeping.prune_now()["webhooks"] == 0
    clear(engine)


def test_runs_are_forgotten_of_those_flows_that_run_every_minute() -> None:
    """What that does is seen against a real Prefect in `tests/stack/test_forgotten_runs.py`."""
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    minutely = {
        one["name"] for one in deployments for schedule in one["schedules"] if schedule.get("interval") == 60
    }
    assert minutely == set(housekeeping.MINUTELY)


_KEPT = ("id from webhook_messages", "message_id from webhook_attempts")
_KEEP_DAYS = text("select keep_webhook_days(cast(:first as date), cast(:last as date))")
_OPEN = text("""
insert into webhook_deliveries (message_id, endpoint_id, next_attempt_at) values (:message, :endpoint, now())
""")
_MESSAGE = text("""
with m as (
    insert into webhook_messages (integration_id, type, body, created_at)
    select integration_id, 'webhook.test', '{}', :at from webhook_endpoints where id = :endpoint
    returning id
)
insert into webhook_attempts (delivery_id, message_id, endpoint_id, number, outcome, at, latency_ms, response)
select uuidv7(), id, :endpoint, 1, 'delivered', :at, 5, 'what the partner said' from m returning message_id
""")


def message(session: Session, endpoint: str, at: datetime) -> UUID:
    """One that was delivered then."""
    return session.scalars(_MESSAGE, {"endpoint": endpoint, "at": at}).one()
