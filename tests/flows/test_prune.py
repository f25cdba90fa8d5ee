"""The daily prune drops what has ended, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
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
from tests.product import SESSION_SECRET, engine, product_url, vault

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
