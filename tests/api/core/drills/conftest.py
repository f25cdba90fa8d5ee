"""A migrated database with a handful of rows, each test in a database of its own."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from sqlalchemy import text

from api.db.engine import Engine, make_engine
from api.providers.databases.embedded.cluster import Cluster
from tests.product import new_database

numbers = count()

ROWS = """
INSERT INTO founders (id, name, phone_cipher, phone_index) VALUES ('fnd_1', 'Ada', 'x', 'a');
INSERT INTO spaces (id, slug, name, owner_id) VALUES ('spc_1', 'ada', 'Ada''s space', 'fnd_1');
INSERT INTO integrations (id, space_id, name) VALUES ('int_1', 'spc_1', 'Web');
INSERT INTO entries (id, space_id, integration_id, external_user_id, status, referral_code, ordinal, rank)
    SELECT 'wle_' || n, 'spc_1', 'int_1', 'u' || n, 'accepted', 'r' || n, n, n FROM generate_series(1, 50) n;
INSERT INTO grants (id, integration_id, entry_id, external_user_id)
    SELECT 'grt_' || n, 'int_1', 'wle_' || n, 'u' || n FROM generate_series(1, 20) n;
INSERT INTO presence (integration_id, external_user_id, last_seen, status)
    SELECT 'int_1', 'u' || n, now(), 'live' FROM generate_series(1, 10) n;
"""


@pytest.fixture
def engine(cluster: Cluster) -> Iterator[Engine]:
    name = f"drills_{next(numbers)}"
    new_database(cluster, name)
    made = make_engine(cluster.dsn("admin", name))
    with made.begin() as connection:
        connection.execute(text(ROWS))
    yield made
    made.dispose()
    with psycopg.connect(cluster.dsn("admin", "postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
