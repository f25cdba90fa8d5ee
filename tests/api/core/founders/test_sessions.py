"""Sessions: idle for a week, absolute for a month, revocable, not forgeable."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Signer, Vault
from api.core.errors import NotFound
from api.core.founders import service, sessions
from tests.product import NOW


@pytest.fixture
def cookie(session: Session, vault: Vault, signer: Signer) -> str:
    founder_id = service.add(session, vault, "Anna", "+447700900920", None, NOW)
    return sessions.open_session(session, signer, founder_id, "Firefox on Linux", NOW)


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
        f"{'y' if random_id[0] == 'x' else 'x'}{random_id[1:]}.{signature}",
        f"{random_id}.ü",
    ):
        assert who(session, signer, forged) is None
    assert who(session, Signer(["another secret that is long enough"], "test"), cookie) is None


def test_a_founder_sees_and_ends_their_own_and_nobody_elses(
    session: Session, vault: Vault, signer: Signer, cookie: str
) -> None:
    anna = who(session, signer, cookie)
    assert anna is not None
    second = sessions.open_session(session, signer, anna, "Chrome on Android", NOW + timedelta(hours=1))
    other = service.add(session, vault, "Ben", "+447700900921", None, NOW)
    foreign = sessions.open_session(session, signer, other, "Safari on Mac", NOW)
    later = NOW + timedelta(hours=2)
    found = sessions.of_founder(session, anna, later)
    assert [one.browser for one in found] == ["Chrome on Android", "Firefox on Linux"]
    (theirs,) = sessions.of_founder(session, other, later)
    for unknown in (theirs.id, "ses_x"):
        with pytest.raises(NotFound):
            sessions.end(session, anna, unknown, later)
    for _ in range(2):
        sessions.end(session, anna, found[0].id, later)
    assert who(session, signer, second) is None and who(session, signer, cookie) == anna
    assert sessions.end_all(session, anna, later) == 1
    assert who(session, signer, cookie) is None and who(session, signer, foreign) == other


def test_what_ended_by_itself_is_not_listed(session: Session, signer: Signer, cookie: str) -> None:
    founder_id = who(session, signer, cookie)
    assert founder_id is not None
    (listed,) = sessions.of_founder(session, founder_id, NOW)
    assert listed.expires_at == NOW + sessions.IDLE
    assert sessions.of_founder(session, founder_id, NOW + sessions.IDLE) == []
