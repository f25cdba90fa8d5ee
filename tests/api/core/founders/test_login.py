"""Login by code: six digits, five minutes, five tries, one use, one browser, founders only."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.crypto import Signer, Vault
from api.core.founders import identifiers, login, otp, service
from api.db.engine import session_scope
from tests.product import NOW, SESSION_SECRET

PHONE = "+447700900910"
BROWSER = "this browser"


@pytest.fixture
def founder(session: Session, vault: Vault) -> str:
    return service.add(session, vault, "Anna", PHONE, "anna@example.com", NOW)


def start(
    session: Session,
    vault: Vault,
    signer: Signer,
    who: str = PHONE,
    now: datetime = NOW,
    browser: str = BROWSER,
) -> login.CodeToSend | None:
    return login.start(session, vault, signer, identifiers.parse(who), browser, now, {PHONE})


def code_for(session: Session, vault: Vault, signer: Signer, who: str = PHONE) -> str:
    sent = start(session, vault, signer, who)
    assert sent is not None
    return sent.code


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


@pytest.mark.usefixtures("founder")
def test_the_code_lets_in_once(session: Session, vault: Vault, signer: Signer, founder: str) -> None:
    code = code_for(session, vault, signer)
    assert len(code) == 6
    attempt = login.verify(session, signer, BROWSER, code, NOW)
    assert (attempt.verdict, attempt.founder_id) == ("valid", founder)
    session.expire_all()
    assert login.verify(session, signer, BROWSER, code, NOW).verdict == "used"


def test_by_email_too(session: Session, vault: Vault, signer: Signer, founder: str) -> None:
    sent = start(session, vault, signer, "Anna@example.com")
    assert sent is not None and (sent.channel, sent.to) == ("email", "anna@example.com")
    assert login.verify(session, signer, BROWSER, sent.code, NOW).founder_id == founder


@pytest.mark.usefixtures("founder")
def test_five_minutes_and_no_longer(session: Session, vault: Vault, signer: Signer) -> None:
    code = code_for(session, vault, signer)
    late = NOW + otp.CODE_TTL
    assert login.verify(session, signer, BROWSER, code, late).verdict == "expired"
    assert login.verify(session, signer, BROWSER, code, late - timedelta(seconds=1)).verdict == "valid"


@pytest.mark.usefixtures("founder")
def test_five_tries_and_no_more(session: Session, vault: Vault, signer: Signer) -> None:
    code = code_for(session, vault, signer)
    for _ in range(otp.MAX_TRIES):
        assert login.verify(session, signer, BROWSER, wrong(code), NOW).verdict == "wrong"
        session.expire_all()
    assert login.verify(session, signer, BROWSER, code, NOW).verdict == "too_many_tries"


@pytest.mark.usefixtures("founder")
def test_another_browser_gets_nowhere(session: Session, vault: Vault, signer: Signer) -> None:
    code = code_for(session, vault, signer)
    assert login.verify(session, signer, "another", code, NOW).verdict == "no_code"


@pytest.mark.usefixtures("founder")
def test_strangers_leave_the_same_row_and_get_nothing(session: Session, vault: Vault, signer: Signer) -> None:
    assert start(session, vault, signer, "+447700900911", browser="stranger") is None
    rows = session.execute(text("select founder_id, tries from login_codes where founder_id is null")).all()
    assert (None, 0) in [tuple(row) for row in rows]
    for code in ("000000", "123456"):
        assert login.verify(session, signer, "stranger", code, NOW).founder_id is None


def test_a_founder_who_is_not_on_the_list_gets_nothing(
    session: Session, vault: Vault, signer: Signer
) -> None:
    service.add(session, vault, "Ben", "+447700900912", None, NOW)
    assert start(session, vault, signer, "+447700900912") is None


@pytest.mark.usefixtures("founder")
def test_a_phone_cannot_be_flooded_with_codes(session: Session, vault: Vault, signer: Signer) -> None:
    sent = [start(session, vault, signer) for _ in range(otp.MAX_CODES_PER_WINDOW + 1)]
    assert [one is not None for one in sent] == [True] * otp.MAX_CODES_PER_WINDOW + [False]
    assert start(session, vault, signer, now=NOW + otp.CODES_WINDOW) is not None


@pytest.mark.usefixtures("founder")
def test_a_code_survives_the_rotation_of_the_secret(session: Session, vault: Vault) -> None:
    code = code_for(session, vault, Signer([SESSION_SECRET], "login-code"))
    rotated = Signer(["a new session secret, long enough", SESSION_SECRET], "login-code")
    assert login.verify(session, rotated, BROWSER, code, NOW).verdict == "valid"


def test_of_two_at_the_same_moment_one_gets_in(engine: Engine, vault: Vault, signer: Signer) -> None:
    with session_scope(engine) as session:
        service.add(session, vault, "Racer", PHONE, None, NOW)
        code = code_for(session, vault, signer)

    def attempt(_: int) -> str:
        with session_scope(engine) as own:
            return login.verify(own, signer, BROWSER, code, NOW).verdict

    with ThreadPoolExecutor(4) as pool:
        verdicts = sorted(pool.map(attempt, range(4)))
    with session_scope(engine) as session:
        session.execute(text("delete from founders where name = 'Racer'"))
    assert verdicts == ["used", "used", "used", "valid"]
