"""Keys are claimed once, answered once, and freed by whoever died holding them."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.errors import Refused
from api.core.idempotency import service
from api.core.idempotency.service import ABANDONED, KEPT, Call, InFlight, Stored
from tests.product import NOW

CALL = Call.of("int_a", "POST /x", "key-1", b"{}")
ANSWER = Stored(201, '{"secret":"shown once"}')
INSTANT = timedelta(microseconds=1)


def test_the_answer_comes_again_for_a_day_and_is_not_readable(session: Session, vault: Vault) -> None:
    assert service.claim(session, vault, CALL, NOW) is None
    service.answer(session, vault, CALL, NOW, ANSWER)
    assert service.claim(session, vault, CALL, NOW + KEPT - INSTANT) == ANSWER
    stored = session.execute(text("select response_cipher from idempotency_keys")).scalar_one()
    assert b"shown once" not in stored
    assert service.claim(session, vault, CALL, NOW + KEPT) is None


@pytest.mark.parametrize(
    "other",
    [
        Call.of("int_b", "POST /x", "key-1", b"other"),
        Call.of("int_a", "POST /y", "key-1", b"other"),
        Call.of("int_a", "POST /x", "key-2", b"other"),
    ],
)
def test_a_key_belongs_to_its_caller_and_operation(session: Session, vault: Vault, other: Call) -> None:
    assert service.claim(session, vault, CALL, NOW) is None
    assert service.claim(session, vault, other, NOW) is None


def test_another_body_is_refused_for_as_long_as_the_key_is_kept(session: Session, vault: Vault) -> None:
    service.claim(session, vault, CALL, NOW)
    other = Call.of("int_a", "POST /x", "key-1", b"[]")
    with pytest.raises(Refused) as refused:
        service.claim(session, vault, other, NOW + ABANDONED)
    assert refused.value.code == "idempotency_key_reused"


def test_one_who_died_frees_the_key_after_a_minute_and_cannot_answer(session: Session, vault: Vault) -> None:
    service.claim(session, vault, CALL, NOW)
    with pytest.raises(InFlight):
        service.claim(session, vault, CALL, NOW + ABANDONED - INSTANT)
    assert service.claim(session, vault, CALL, NOW + ABANDONED) is None
    with pytest.raises(InFlight):
        service.answer(session, vault, CALL, NOW, ANSWER)
    service.release(session, CALL, NOW)
    service.answer(session, vault, CALL, NOW + ABANDONED, ANSWER)


def test_a_refused_act_frees_the_key_and_old_keys_go(session: Session, vault: Vault) -> None:
    service.claim(session, vault, CALL, NOW)
    service.release(session, CALL, NOW)
    assert service.claim(session, vault, CALL, NOW) is None
    assert service.forget(session, NOW + KEPT - INSTANT) == 0
    assert service.forget(session, NOW + KEPT) == 1
