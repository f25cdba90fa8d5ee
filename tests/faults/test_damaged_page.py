"""A heap page of a backup that was damaged on the disk: the drill is red and names the table."""

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from api.core.drills import product
from api.core.drills.records import DrillStatus
from api.core.errors import Rejected
from api.core.ports import Handle, ProviderFact, RestoreTarget
from api.db.engine import Session, make_engine
from api.providers.databases.embedded.answering import answers
from api.providers.databases.embedded.catalogue import data_key
from api.providers.databases.embedded.provider import EmbeddedDatabase
from tests.api.providers.databases.conftest import History, flip_byte, restore_to
from tests.crash.world import FakeDatabase, World
from tests.faults.drills import drill, nothing_is_left, told


@pytest.fixture
def damaged_catalog_table(damaged: EmbeddedDatabase, history: History) -> EmbeddedDatabase:
    """A page of a table that is there at any time, and that nobody needs for connecting."""
    folder = damaged.store.local_path(data_key(history.full.id))
    assert folder is not None
    with psycopg.connect(damaged.source_dsn("admin")) as connection:
        row = connection.execute("SELECT pg_relation_filepath('pg_description')").fetchone()
    assert row is not None
    flip_byte(folder / row[0], 8192 + 4000)
    return damaged


def test_the_provider_names_the_table(
    damaged_catalog_table: EmbeddedDatabase, history: History, name: str
) -> None:
    copy = restore_to(damaged_catalog_table, RestoreTarget(history.middle), name)
    facts = {fact.name: fact for fact in damaged_catalog_table.verify(copy)}
    assert not facts["backup_manifest"].ok
    assert "(of pg_description)" in facts["backup_manifest"].observed


def test_who_reads_the_page_hears_of_the_table(
    damaged_catalog_table: EmbeddedDatabase, history: History, name: str
) -> None:
    copy = restore_to(damaged_catalog_table, RestoreTarget(history.middle), name)
    dsn = damaged_catalog_table.dsn(copy, "admin")
    query = "SELECT sum(length(description)) FROM pg_description"
    with (
        pytest.raises(Rejected, match="invalid page"),
        answers("The copy", "verify"),
        psycopg.connect(dsn) as connection,
    ):
        connection.execute(query)
    engine = make_engine(dsn)
    with Session(engine) as session:
        try:
            session.connection().exec_driver_sql(query)
        except DBAPIError as error:
            found = product.unanswered("digests", session, error)
        else:
            pytest.fail("the page was read")
    engine.dispose()
    assert not found.ok
    assert "pg_description" in found.observed


def test_a_drill_on_it_is_red(
    damaged_catalog_table: EmbeddedDatabase, history: History, name: str, world: World
) -> None:
    """The product would not have noticed."""
    copy = restore_to(damaged_catalog_table, RestoreTarget(history.middle), name)

    class Damaged(FakeDatabase):
        def verify(self, handle: Handle) -> list[ProviderFact]:
            return damaged_catalog_table.verify(copy)

    found = drill(world, database=Damaged(world))
    assert found.status is DrillStatus.FAILED
    assert "pg_description" in told(found)
    assert "full backup" in found.next_step
    assert nothing_is_left(world)
