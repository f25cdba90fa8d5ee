"""Sessions: idle for a week, absolute for a month, revocable, not forgeable."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Signer, Vault
from api.core.founders import service, sessions
from tests.product import NOW


@pytest.fixture
def cookie(session: Session, vault: Vault, signer: Signer) -> str:
    founder_id = service.add(session, vault, "Anna", "+447700900920", None, NOW)
    return sessions.open_session(session, signer, founder_id, NOW)


def who(session: Session, signer: Signer, cookie: str, after: timedelta = timedelta()) -> str | None:
    session.expire_all()
    found = sessions.current(session, signer, cookie, NOW + after)
    return found.founder_id if found else None


def test_the_database_holds_no_cookie(session: Session, signer: Signer, cookie: str) -> None:
    assert who(session, signer, cookie)
    stored = session.execute(text("select row_to_json(s)::text from sessions s")).scalars().all()
    assert not [row for row in stored if cookie.split(".")[0] in row]


def test_a_week_without_use_ends_it_use_keeps_it(session: Session, signer: Signer, cookie: str) -> None:
    week = sessions.IDLE
    assert who(session, signer, cookie, week - timedelta(hours=1))
    assert who(session, signer, cookie, 2 * week - timedelta(hours=2))
    assert who(session, signer, cookie, 3 * week) is None


def test_a_month_ends_it_whatever_the_use(session: Session, signer: Signer, cookie: str) -> None:
    for day in range(0, 30, 5):
        assert who(session, signer, cookie, timedelta(days=day))
    assert who(session, signer, cookie, sessions.ABSOLUTE) is None


def test_logging_out_ends_it_on_the_server(session: Session, signer: Signer, cookie: str) -> None:
    sessions.close_session(session, signer, cookie, NOW)
    assert who(session, signer, cookie) is None


def test_forged_cookies_are_nobody(session: Session, signer: Signer, cookie: str) -> None:
    random_id, signature = cookie.split(".")
    for forged in (
        "",
        "x",
        f"{random_id}.",
        f"{random_id}.AAAA",
        f"x{random_id[1:]}.{signature}",
        f"{random_id}.ü",
    ):
        assert who(session, signer, forged) is None
    assert who(session, Signer(["another secret that is long enough"], "test"), cookie) is None
