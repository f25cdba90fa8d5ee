"""Login by code: six digits, five minutes, five tries, one use, one browser, founders only."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from api.core.crypto import Signer, Vault
from api.core.founders import identifiers, login, otp, service
from api.core.founders.limits import CODES_WINDOW, DAY, Limits
from api.db.engine import session_scope
from tests.product import NOW, SESSION_SECRET

PHONE = "+447700900910"
BROWSER = "this browser"
LIMITS = Limits()


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
    network: str = "198.51.100.1",
    limits: Limits | None = LIMITS,
) -> login.CodeToSend | None:
    asked = login.Asked(identifiers.parse(who), browser, network)
    return login.start(session, vault, signer, asked, now, {PHONE}, limits).to_send


def verify(
    session: Session,
    signer: Signer,
    code: str,
    now: datetime = NOW,
    browser: str = BROWSER,
    limits: Limits | None = LIMITS,
) -> login.Attempt:
    session.expire_all()
    return login.verify(session, signer, browser, code, now, limits)


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
    attempt = verify(session, signer, code)
    assert (attempt.verdict, attempt.founder_id) == ("valid", founder)
    assert verify(session, signer, code).verdict == "used"


def test_by_email_too(session: Session, vault: Vault, signer: Signer, founder: str) -> None:
    sent = start(session, vault, signer, "Anna@example.com")
    assert sent is not None and (sent.channel, sent.to) == ("email", "anna@example.com")
    assert verify(session, signer, sent.code).founder_id == founder


@pytest.mark.usefixtures("founder")
def test_five_minutes_and_no_longer(session: Session, vault: Vault, signer: Signer) -> None:
    code = code_for(session, vault, signer)
    late = NOW + otp.CODE_TTL
    assert verify(session, signer, code, late).verdict == "expired"
    assert verify(session, signer, code, late - timedelta(seconds=1)).verdict == "valid"


@pytest.mark.usefixtures("founder")
def test_five_tries_and_no_more(session: Session, vault: Vault, signer: Signer) -> None:
    code = code_for(session, vault, signer)
    for _ in range(otp.MAX_TRIES):
        assert verify(session, signer, wrong(code)).verdict == "wrong"
    assert verify(session, signer, code).verdict == "too_many_tries"


@pytest.mark.usefixtures("founder")
def test_another_browser_gets_nowhere(session: Session, vault: Vault, signer: Signer) -> None:
    code = code_for(session, vault, signer)
    assert verify(session, signer, code, browser="another").verdict == "no_code"


@pytest.mark.usefixtures("founder")
def test_strangers_leave_the_same_row_and_get_nothing(session: Session, vault: Vault, signer: Signer) -> None:
    assert start(session, vault, signer, "+447700900911", browser="stranger") is None
    rows = session.execute(text("select founder_id, tries from login_codes where founder_id is null")).all()
    assert (None, 0) in [tuple(row) for row in rows]
    for code in ("000000", "123456"):
        assert verify(session, signer, code, browser="stranger").founder_id is None


def test_a_founder_who_is_not_on_the_list_gets_nothing(
    session: Session, vault: Vault, signer: Signer
) -> None:
    service.add(session, vault, "Ben", "+447700900912", None, NOW)
    assert start(session, vault, signer, "+447700900912") is None


@pytest.mark.usefixtures("founder")
def test_a_phone_cannot_be_flooded_with_codes(session: Session, vault: Vault, signer: Signer) -> None:
    sent = [start(session, vault, signer, network=f"198.51.100.{n}") for n in range(LIMITS.codes + 1)]
    assert [one is not None for one in sent] == [True] * LIMITS.codes + [False]
    assert start(session, vault, signer, "anna@example.com") is not None
    assert start(session, vault, signer, now=NOW + CODES_WINDOW) is not None


@pytest.mark.usefixtures("founder")
def test_a_network_cannot_ask_for_ever_whomever_it_asks_for(
    session: Session, vault: Vault, signer: Signer
) -> None:
    for number in range(LIMITS.codes_of_network):
        assert start(session, vault, signer, f"stranger{number}@example.com") is None
    assert start(session, vault, signer) is None
    assert start(session, vault, signer, network="198.51.100.2") is not None


@pytest.mark.usefixtures("founder")
def test_the_budget_of_a_day_is_for_all_sms_and_for_nothing_else(
    session: Session, vault: Vault, signer: Signer
) -> None:
    none_left = Limits(sms=1)
    assert start(session, vault, signer, limits=none_left) is not None
    assert start(session, vault, signer, limits=none_left) is None
    assert start(session, vault, signer, "anna@example.com", limits=none_left) is not None
    assert start(session, vault, signer, limits=none_left, now=NOW + DAY) is not None


@pytest.mark.usefixtures("founder")
def test_where_messages_cost_nothing_nobody_is_locked_out(
    session: Session, vault: Vault, signer: Signer
) -> None:
    for _ in range(LIMITS.wrong_tries):
        code = start(session, vault, signer, limits=None)
        assert code is not None
        verify(session, signer, wrong(code.code), limits=None)
    code = start(session, vault, signer, limits=None)
    assert code is not None and verify(session, signer, code.code, limits=None).verdict == "valid"


@pytest.mark.usefixtures("founder")
def test_many_browsers_together_guess_no_more_than_one(
    session: Session, vault: Vault, signer: Signer
) -> None:
    """A new browser, a new code, five more tries: the person's own limit ends that, for a day."""
    guesses, hour = 0, 0
    while True:
        browser, moment = f"browser {guesses}", NOW + hour * CODES_WINDOW
        sent = start(session, vault, signer, now=moment, browser=browser, network=browser)
        if sent is None and guesses >= LIMITS.wrong_tries:
            break
        if sent is None:
            hour += 1
            continue
        for _ in range(otp.MAX_TRIES):
            if verify(session, signer, wrong(sent.code), moment, browser).verdict == "wrong":
                guesses += 1
    assert guesses == LIMITS.wrong_tries
    assert start(session, vault, signer, now=NOW + DAY + hour * CODES_WINDOW, network="x") is not None


@pytest.mark.usefixtures("founder")
def test_a_good_code_is_worth_nothing_once_its_person_was_guessed_at(
    session: Session, vault: Vault, signer: Signer
) -> None:
    kept = start(session, vault, signer, browser="the person's own")
    assert kept is not None
    session.execute(text("update login_codes set tries = 5"))
    for number in range(LIMITS.wrong_tries // otp.MAX_TRIES):
        start(session, vault, signer, browser=f"attacker {number}", limits=None)
        for _ in range(otp.MAX_TRIES):
            verify(session, signer, "000000", browser=f"attacker {number}")
    session.execute(text("update login_codes set tries = 0 where id = :id"), {"id": kept.id})
    assert verify(session, signer, kept.code, browser="the person's own").verdict == "locked"


def test_known_and_unknown_people_cost_the_same(
    session: Session, vault: Vault, signer: Signer, engine: Engine, founder: str
) -> None:
    """Statement by statement; what differs is sent after the answer."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert start(session, vault, signer) is not None
        known, statements[:] = list(statements), []
        assert start(session, vault, signer, "+447700900911") is None
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert known == statements and len(known) == 5


@pytest.mark.usefixtures("founder")
def test_a_message_that_went_out_is_marked(session: Session, vault: Vault, signer: Signer) -> None:
    code = start(session, vault, signer)
    assert code is not None
    query = text("select channel, sent_at from login_codes where id = :id")
    assert session.execute(query, {"id": code.id}).one() == ("sms", None)
    login.sent(session, code.id, NOW)
    assert session.execute(query, {"id": code.id}).one() == ("sms", NOW)


def test_guesses_at_the_same_moment_count_together(engine: Engine, vault: Vault, signer: Signer) -> None:
    few, browsers = Limits(wrong_tries=6), [f"guesser {number}" for number in range(8)]
    with session_scope(engine) as session:
        service.add(session, vault, "Target", PHONE, None, NOW)
        codes = {start(session, vault, signer, browser=one, limits=None) for one in browsers}
    sent = {code.code for code in codes if code}
    wrong_code = next(one for one in map("{:06d}".format, range(9)) if one not in sent)

    def guess(browser: str) -> list[str]:
        verdicts: list[str] = []
        for _ in range(otp.MAX_TRIES):
            with session_scope(engine) as own:
                verdicts.append(login.verify(own, signer, browser, wrong_code, NOW, few).verdict)
        return verdicts

    with ThreadPoolExecutor(8) as pool:
        verdicts = [verdict for one in pool.map(guess, browsers) for verdict in one]
    with session_scope(engine) as session:
        session.execute(text("delete from founders where name = 'Target'"))
    assert verdicts.count("wrong") == 6 and set(verdicts) == {"wrong", "locked"}


def test_the_last_sms_of_the_day_goes_out_once(engine: Engine, vault: Vault, signer: Signer) -> None:
    with session_scope(engine) as session:
        service.add(session, vault, "Racer", PHONE, None, NOW)

    def ask(number: int) -> bool:
        with session_scope(engine) as own:
            network, browser = f"198.51.100.{number}", f"racer {number}"
            return bool(start(own, vault, signer, browser=browser, network=network, limits=Limits(sms=1)))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(8)))
    with session_scope(engine) as session:
        session.execute(text("delete from login_codes"))
        session.execute(text("delete from founders where name = 'Racer'"))
    assert sum(answers) == 1


@pytest.mark.usefixtures("founder")
def test_a_code_survives_the_rotation_of_the_secret(session: Session, vault: Vault) -> None:
    code = code_for(session, vault, Signer([SESSION_SECRET], "login-code"))
    rotated = Signer(["a new session secret, long enough", SESSION_SECRET], "login-code")
    assert verify(session, rotated, code).verdict == "valid"


def test_of_two_at_the_same_moment_one_gets_in(engine: Engine, vault: Vault, signer: Signer) -> None:
    with session_scope(engine) as session:
        service.add(session, vault, "Racer", PHONE, None, NOW)
        code = code_for(session, vault, signer)

    def attempt(_: int) -> str:
        with session_scope(engine) as own:
            return verify(own, signer, code).verdict

    with ThreadPoolExecutor(4) as pool:
        verdicts = sorted(pool.map(attempt, range(4)))
    with session_scope(engine) as session:
        session.execute(text("delete from founders where name = 'Racer'"))
    assert verdicts == ["used", "used", "used", "valid"]
