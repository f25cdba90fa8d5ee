"""Everything sealed comes to the new key, whoever is killed or writes meanwhile, and the proof says so."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.access import waitlist
from api.core.access.waitlist import Applicant
from api.core.crypto import Vault, data_keys
from api.core.founders import service as founders
from api.core.idempotency import service as idempotency
from api.core.idempotency.service import Call, Stored
from api.core.ports import Progress
from api.core.preflight import owners
from api.core.preflight.owners import Assignment, Role
from api.core.rotation import reencryption, sealed
from api.core.rotation.reencryption import Transaction
from api.core.webhooks import secrets
from api.db.engine import make_engine, session_scope
from api.providers.databases.embedded.cluster import Cluster
from tests.api.core.places import Place, new_place
from tests.product import DATA_KEY, NOW, new_database

NEW_KEY = "c2VlIHRoaXMgaXMgdGhlIG5leHQgMzIgYnl0ZSBrZXk="
PEOPLE = 60
BYTES = """
select case table_schema when 'public' then '' else table_schema || '.' end || table_name, column_name
  from information_schema.columns
 where table_schema not in ('pg_catalog', 'information_schema') and data_type = 'bytea'"""
ROTATION = text("""
insert into ops.rotations
  (id, name, kind, mode, state, step, from_version, to_version, grace_seconds, asked_by, reason, handover,
   started_at, step_at)
values ('rot_1', 'api_key:int_a', 'api_key', 'asked', 'running', 'store', 1, 2, 0, 'fnd_1', '', :handover,
   :now, :now)""")
OLD = Vault(data_keys(DATA_KEY))
RING = Vault(data_keys(NEW_KEY, DATA_KEY))
NEW = Vault(data_keys(NEW_KEY))
KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from functools import partial
from api.core.crypto import Vault, data_keys
from api.core.rotation import reencryption
from api.db.engine import make_engine, session_scope
url, new, old, at = sys.argv[1:]
def killed(progress):
    if progress.phase.endswith("entries") and progress.done >= int(at):
        os.kill(os.getpid(), signal.SIGKILL)
reencryption.reencrypt(partial(session_scope, make_engine(url)), Vault(data_keys(new, old)), killed, batch=7)
"""


def quiet(_: Progress) -> None:
    pass


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> str:
    return new_database(cluster)


@pytest.fixture(scope="module")
def engine(url: str) -> Iterator[Engine]:
    made = make_engine(url)
    yield made
    made.dispose()


@pytest.fixture
def transaction(engine: Engine) -> Transaction:
    """On a database of people, secrets and answers that are sealed with the old key."""
    scope: Transaction = partial(session_scope, engine)
    with scope() as session:
        tables = ", ".join(table.name for table in sealed.SEALED)
        session.execute(text(f"truncate {tables}, spaces cascade"))
        place = new_place(session, OLD)
        for number in range(PEOPLE):
            join(session, OLD, place, number)
        secrets.rotate(session, OLD, place.integration_id, secrets.MAX_GRACE, NOW, "fnd_1")
        call = Call.of("int_a", "POST /x", "key 1", b"{}")
        owner = Assignment(Role.RELEASE, "Anna", "email", "anna@example.com", "", "")
        owners.assign(session, OLD, owner, "fnd_1", NOW)
        session.execute(ROTATION, {"handover": OLD.seal("fu_live_x", "rot_1"), "now": NOW})
        idempotency.claim(session, OLD, call, NOW)
        idempotency.answer(session, OLD, call, NOW, Stored(201, "shown once"))
    return scope


def join(session: Session, vault: Vault, place: Place, number: int) -> str:
    who = Applicant(
        f"u{number}",
        email=f"p{number}@example.com" if number % 3 else None,
        phone=f"+4917012{number:05}" if number % 2 else None,
    )
    return waitlist.enter(session, vault, place.integration_id, who, NOW)[0]


def waiting(transaction: Transaction) -> dict[str, int]:
    with transaction() as session:
        return {one.table: one.waiting for one in reencryption.standings(session, RING)}


def place_of(session: Session) -> Place:
    return Place(
        *session.execute(
            text("""
        select owner_id, spaces.id, slug, integrations.id from spaces
          join integrations on space_id = spaces.id""")
        ).one()
    )


def unlisted(session: Session) -> set[tuple[str, str]]:
    """Columns of bytes that no list knows, and listed ones that are not there."""
    listed = {*sealed.DIES_OUT, *sealed.NOT_SEALED}
    for table in sealed.SEALED:
        for column, index in table.columns.items():
            listed |= {(table.name, column), *([(table.name, index)] if index else [])}
    return listed ^ {(row[0], row[1]) for row in session.execute(text(BYTES))}


def test_no_column_of_bytes_is_forgotten(transaction: Transaction) -> None:
    with transaction() as session:
        assert unlisted(session) == set()
        session.execute(text("alter table spaces add column note_cipher bytea"))
        assert unlisted(session) == {("spaces", "note_cipher")}
        session.rollback()


def test_no_column_holds_sealed_text_unlisted(transaction: Transaction) -> None:
    """By looking into the rows: what is sealed begins with the key's name, in whatever column it lies."""
    known = {(table.name, column) for table in sealed.SEALED for column in table.columns}
    found: set[tuple[str, str]] = set()
    with transaction() as session:
        for table, column in [(row[0], row[1]) for row in session.execute(text(BYTES))]:
            query = text(f"select exists (select 1 from {table} where substring({column} from 1 for 5) = :h)")  # noqa: S608
            if session.scalar(query, {"h": OLD.header}):
                found.add((table, column))
    assert found == known - {("founders", "email_cipher"), ("ops.rotations", "witness")}
    others = {table.name: 1 for table in sealed.SEALED if table.name != "entries"}
    assert waiting(transaction) == {"entries": 50, **others}


def test_everything_moves_and_the_old_key_is_needed_no_more(transaction: Transaction) -> None:
    seen: list[Progress] = []
    before = reencryption.prove(transaction, data_keys(NEW_KEY)[0])
    assert not before.holds and before.unlike
    moved = reencryption.reencrypt(transaction, RING, seen.append, batch=7)
    assert (moved.rows, moved.unreadable) == (55, [])
    assert set(waiting(transaction).values()) == {0}
    proof = reencryption.prove(transaction, data_keys(NEW_KEY)[0])
    assert proof.holds and proof.sampled == proof.opened == 55
    shown = [one for one in seen if one.phase.endswith("entries")]
    assert [one.done for one in shown] == sorted(one.done for one in shown)
    assert (shown[-1].done, shown[-1].total) == (50, 50)
    with transaction() as session:
        place = place_of(session)
        assert founders.has_phone(session, NEW, place.founder_id, "+447700900900")
        assert secrets.valid(session, NEW, place.integration_id, NOW)
        call = Call.of("int_a", "POST /x", "key 1", b"{}")
        assert idempotency.claim(session, NEW, call, NOW) == Stored(201, "shown once")
    assert reencryption.reencrypt(transaction, RING, quiet).rows == 0


@pytest.mark.parametrize("at", [7, 21, 49])
def test_killed_in_the_middle_it_goes_on(transaction: Transaction, url: str, at: int) -> None:
    words = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, url, NEW_KEY, DATA_KEY, str(at)]
    killed = subprocess.run(words, env=dict(os.environ), check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    left = waiting(transaction)
    assert 0 < left["entries"] <= 50 - at and left["webhook_secrets"] == 1
    with transaction() as session:  # both halves can be read and found meanwhile
        found = session.execute(text("select id, email_cipher from entries where email_cipher is not null"))
        assert all(RING.open(blob, row_id).endswith("@example.com") for row_id, blob in found)
    assert reencryption.reencrypt(transaction, RING, quiet, batch=7).rows == sum(left.values())
    assert reencryption.prove(transaction, data_keys(NEW_KEY)[0]).holds


def test_writers_at_work_with_either_ring_lose_nothing(transaction: Transaction) -> None:
    """One still with the old ring, one with the new; a person is decided on and another forgotten."""
    joined: dict[str, str] = {}
    stop = threading.Event()

    def writing(vault: Vault, first: int) -> None:
        for number in range(first, first + 10_000):
            if stop.is_set():
                return
            with transaction() as session:
                entry_id = join(session, vault, place_of(session), number)
                session.execute(text("update entries set rank = rank + 1 where id = :id"), {"id": entry_id})
            joined[entry_id] = f"p{number}@example.com" if number % 3 else ""

    writers = [threading.Thread(target=writing, args=(v, n)) for v, n in ((OLD, 1_000), (RING, 20_000))]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            reencryption.reencrypt(transaction, RING, quiet, batch=7)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    reencryption.reencrypt(transaction, RING, quiet)
    assert reencryption.prove(transaction, data_keys(NEW_KEY)[0]).holds
    with transaction() as session:
        rows = {row[0]: row[1] for row in session.execute(text("select id, email_cipher from entries"))}
    assert len(rows) == PEOPLE + len(joined) > PEOPLE + 10
    for entry_id, email in joined.items():
        assert (NEW.open(rows[entry_id], entry_id) if rows[entry_id] else "") == email


def test_a_row_that_somebody_holds_is_waited_for_by_nobody(transaction: Transaction) -> None:
    with transaction() as holder:
        holder.execute(text("select 1 from entries where external_user_id = 'u1' for update"))
        moved = reencryption.reencrypt(transaction, RING, quiet, batch=7)
        assert moved.rows == 54
        assert waiting(transaction)["entries"] == 1
        assert not reencryption.prove(transaction, data_keys(NEW_KEY)[0]).holds
    assert reencryption.reencrypt(transaction, RING, quiet).rows == 1
    assert reencryption.prove(transaction, data_keys(NEW_KEY)[0]).holds


def test_two_at_once_do_it_once(transaction: Transaction) -> None:
    moved: list[int] = []
    run = lambda: moved.append(reencryption.reencrypt(transaction, RING, quiet, batch=3).rows)  # noqa: E731
    both = [threading.Thread(target=run) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sum(moved) == 55
    assert reencryption.prove(transaction, data_keys(NEW_KEY)[0]).holds


def test_what_no_key_opens_is_named_and_stops_nothing(transaction: Transaction) -> None:
    foreign = Vault(data_keys("YW5vdGhlciAzMiBieXRlIGtleSwgbm9ib2R5IGhhcyE="))
    with transaction() as session:
        entry_id = join(session, foreign, place_of(session), 301)
    moved = reencryption.reencrypt(transaction, RING, quiet)
    assert (moved.rows, moved.unreadable) == (55, [f"entries {entry_id}"])
    proof = reencryption.prove(transaction, data_keys(NEW_KEY)[0])
    assert not proof.holds and proof.unlike == [f"entries {entry_id}"]


OF_ANOTHER = "(select email_cipher from entries where external_user_id = 'u2')"
DAMAGES: Sequence[tuple[str, str]] = [
    ("a blind index of the old key", "email_index = :old"),
    ("a damaged text", "email_cipher = email_cipher || '\\x00'"),
    ("another row's text", f"email_cipher = {OF_ANOTHER}"),
]


@pytest.mark.parametrize(("what", "damage"), DAMAGES)
def test_the_proof_finds(transaction: Transaction, what: str, damage: str) -> None:
    reencryption.reencrypt(transaction, RING, quiet)
    with transaction() as session:
        update = text(f"update entries set {damage} where external_user_id = 'u1'")  # noqa: S608
        session.execute(update, {"old": OLD.index("p1@example.com")} if ":old" in damage else {})
    proof = reencryption.prove(transaction, data_keys(NEW_KEY)[0])
    assert not proof.holds, what
    assert proof.opened == proof.sampled - 1
