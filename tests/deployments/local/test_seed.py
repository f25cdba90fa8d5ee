"""The seeded data set: consistent in itself, there once, and in no more memory when it is larger."""

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from api.core.keys import service as keys
from api.core.rotation.cadence import POLICIES, SOON
from api.db.engine import make_engine, session_scope
from api.settings import Settings
from deployments.local.seed import SeedReport, partner_keys_file, seed
from deployments.local.seed_people import Place, people
from tests.product import NOW, OWNER_PHONE, SLUG, seeded

__all__ = ["seeded"]


@pytest.fixture
def engine(seeded: Settings) -> Iterator[Engine]:
    made = make_engine(seeded.platform.database_url.get_secret_value())
    yield made
    made.dispose()


def number(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return connection.execute(text(query)).scalar_one()


def test_a_second_call_writes_nothing(seeded: Settings, engine: Engine) -> None:
    before = partner_keys_file(seeded).read_bytes()
    assert seed(seeded.platform.database_url.get_secret_value(), seeded, 1, NOW) == SeedReport()
    assert number(engine, "select count(*) from entries") == 400
    assert partner_keys_file(seeded).read_bytes() == before


def test_nothing_contradicts_anything(engine: Engine) -> None:
    nonsense = (
        "select count(*) from grants g join entries e on e.id = g.entry_id where e.status <> 'accepted'",
        "select count(*) from entries where (status = 'waiting') <> (decided_at is null)",
        "select count(*) from entries where decided_at < created_at",
        "select count(*) from entries where created_at > now() or decided_at > now()",
        "select count(*) from (select integration_id, external_user_id from presence except"
        " select integration_id, external_user_id from grants where revoked_at is null) without_grant",
        "select count(*) from entries e join integrations i on i.id = e.integration_id"
        " where i.space_id <> e.space_id",
        "select count(*) from conversations c join entries e on e.id = c.entry_id"
        " where e.space_id <> c.space_id",
        "select count(*) from conversations c where last_seq <>"
        " (select count(*) from messages m where m.conversation_id = c.id and m.seq <= c.last_seq)",
        "select count(*) from conversations where founder_read_seq > last_seq or last_message_at > now()",
        "select count(*) from messages m join messages n on n.conversation_id = m.conversation_id"
        " and n.seq = m.seq + 1 where n.created_at < m.created_at",
        "select count(*) from entries a join entries b on b.id = a.referred_by where b.seq > a.seq",
    )
    assert [number(engine, query) for query in nonsense] == [0] * len(nonsense)
    assert number(engine, "select count(distinct space_id) from conversations") == 3
    assert number(engine, "select count(*) from presence where last_seen > now() - interval '1 day'") > 0


def test_the_homepage_space_belongs_to_its_owner_and_has_one_integration(engine: Engine) -> None:
    query = f"select count(*) from integrations i join spaces s on s.id = i.space_id where s.slug = '{SLUG}'"  # noqa: S608
    assert number(engine, query) == 1
    with engine.connect() as connection:
        stored = connection.execute(text("select phone_cipher from founders")).scalars().all()
    assert not [one for one in stored if OWNER_PHONE.encode() in one]


def test_the_partners_keys_work_and_are_private(seeded: Settings, engine: Engine) -> None:
    file = partner_keys_file(seeded)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    known = json.loads(file.read_text())
    assert len(known) == 5
    with session_scope(engine) as session:
        for integration_id, key in known.items():
            assert keys.authenticate(session, key, datetime.now(UTC)) == integration_id


def test_no_key_is_past_its_cadence_on_the_first_day(engine: Engine) -> None:
    ages = "select extract(epoch from now() - created_at) / 86400 from api_keys"
    with engine.connect() as connection:
        days = connection.execute(text(ages)).scalars().all()
    assert days and max(days) + SOON.days < POLICIES["api_key"].cadence.days
    assert len({round(age) for age in days}) > 1, "nor are all due on one day"


def test_staging_keeps_its_partners_keys_apart(seeded: Settings) -> None:
    staging = seeded.service.model_copy(update={"env": "staging"})
    assert partner_keys_file(replace(seeded, service=staging)) != partner_keys_file(seeded)


def test_people_come_one_at_a_time_and_the_same_again() -> None:
    places = [Place("int_a", "spc_a", 2), Place("int_b", "spc_b", 1)]
    stream = people(places, 10**9, NOW)
    first = [next(stream) for _ in range(50)]
    assert [person.entry_id for person in first] == [
        person.entry_id for person, _ in zip(people(places, 10**9, NOW), range(50), strict=False)
    ]
    some = list(people(places, 2_000, NOW))
    assert [person.created_at for person in some] == sorted(person.created_at for person in some)
    assert some[-1].created_at > NOW - timedelta(days=1)
    accepted = [person for person in some if person.status == "accepted"]
    assert 0.3 < len(accepted) / len(some) < 0.6
