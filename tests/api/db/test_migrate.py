"""Migrations: the tables are those of the models, and two migrators at once do no harm."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

import api.core.access.models
import api.core.alerts.models
import api.core.audit.models
import api.core.chat.models
import api.core.flags.models
import api.core.founders.models
import api.core.idempotency.models
import api.core.incidents.models
import api.core.keys.models
import api.core.presence.models
import api.core.privacy.models
import api.core.webhooks.models  # noqa: F401  their tables register on import
from api.db import migrate
from api.db.base import Base
from api.db.engine import make_engine
from api.providers.databases.embedded.cluster import Cluster
from tests.product import new_database


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_the_models_are_what_the_migrations_made(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_head_is_the_one_that_the_migrator_knows(engine: Engine) -> None:
    known = ScriptDirectory(str(migrate.MIGRATIONS)).get_current_head()
    assert migrate.head() == known == migrate.current(engine)


def test_two_migrators_at_once_and_all_the_way_back(cluster: Cluster) -> None:
    url = new_database(cluster)
    engine = make_engine(url)
    migrate.downgrade(url, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate.upgrade, [url, url]))
    assert migrate.current(engine) == migrate.head()
    assert {"founders", "entries", "presence"} <= set(inspect(engine).get_table_names())
    engine.dispose()


def test_a_newer_release_is_told_by_its_number() -> None:
    assert migrate.is_ahead("0013_next", "0012_live_index")
    assert not migrate.is_ahead("0012_other_branch", "0012_live_index")
    assert not migrate.is_ahead("0011_accounted", "0012_live_index")
    assert not migrate.is_ahead("ae1027a6acf", "0012_live_index"), "not one of ours"
    assert migrate.is_ahead("9999_next", migrate.head()), "the head's own name has a number"
    assert not migrate.is_ahead(migrate.head(), "9999_next")
