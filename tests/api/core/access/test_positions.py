"""Whatever happens to the line, a position is the number of those ahead, and the counters never drift."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.access import entries, waitlist
from api.core.crypto import Vault
from tests.api.core.places import Place, new_place
from tests.product import NOW

BLOCKS = text("""
select status, block, people from waitlist_blocks where space_id = :s and people <> 0
except
select status, rank >> 12, count(*) from entries where space_id = :s group by 1, 2
""")
MISSING = text("""
select status, rank >> 12, count(*) from entries where space_id = :s group by 1, 2
except
select status, block, people from waitlist_blocks where space_id = :s
""")
NAIVE = text("""
select id, row_number() over (order by rank, seq) from entries where space_id = :s and status = 'waiting'
""")
STRETCH = text("update entries set ordinal = ordinal * 300, rank = rank * 300 where space_id = :s")

acts = st.lists(
    st.tuples(
        st.sampled_from(("join", "refer", "accept", "reject", "delete", "stretch")), st.integers(0, 30)
    ),
    max_size=40,
)


@pytest.fixture
def own_session(engine: Engine) -> Iterator[Session]:
    with Session(engine, expire_on_commit=False) as opened:
        yield opened
        opened.rollback()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(history=acts)
def test_a_position_is_the_number_of_those_ahead(
    own_session: Session, vault: Vault, history: list[tuple[str, int]]
) -> None:
    session = own_session
    session.rollback()
    place = new_place(session, vault, "+447700900908")
    ids: list[str] = []
    for number, (what, whom) in enumerate(history):
        act(session, vault, place, ids, what, whom, number)
        agree(session, place)


def act(
    session: Session, vault: Vault, place: Place, ids: list[str], what: str, whom: int, number: int
) -> None:
    someone = ids[whom % len(ids)] if ids else None
    if what == "join" or someone is None:
        ids.append(waitlist.join(session, vault, place.integration_id, f"u{number}", NOW))
    elif what == "refer":
        code = entries.view(session, vault, place.founder_id, someone).referral_code
        ids.append(waitlist.join(session, vault, place.integration_id, f"u{number}", NOW, referral_code=code))
    elif what == "delete":
        session.execute(text("delete from entries where id = :id"), {"id": someone})
        ids.remove(someone)
    elif what == "stretch":  # a long line: over many blocks
        session.execute(STRETCH, {"s": place.space_id})
    else:
        entry = waitlist.entry(session, someone)
        if entry.status == "waiting":
            (waitlist.accept if what == "accept" else waitlist.reject)(session, entry, NOW)


def agree(session: Session, place: Place) -> None:
    parameters = {"s": place.space_id}
    naive = {row[0]: row[1] for row in session.execute(NAIVE, parameters)}
    assert {entry_id: waitlist.position(session, entry_id) for entry_id in naive} == naive
    page = entries.page(session, Vault([b"k" * 32]), place.space_id, "waiting", None, 100)
    assert [view.position for view in page.entries] == list(range(1, len(naive) + 1))
    assert not session.execute(BLOCKS, parameters).all()
    assert not session.execute(MISSING, parameters).all()
