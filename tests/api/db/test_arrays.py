"""Arrays arrive as they were: whatever is in them, and however many there are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.db import arrays
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster

# What PostgreSQL stores as text: no NUL, no halves of pairs.
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
awkward = st.sampled_from(['"', "\\", '\\"', "{}", ",", "NULL", "null", "", " ", "\n", "\\x41", "ü€"])
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=14))])
moments = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=zones)  # noqa: DTZ001


@pytest.fixture(scope="module")
def connection(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(cluster.dsn(roles.ADMIN, "postgres"), autocommit=True) as opened:
        yield opened


@given(
    st.lists(texts | awkward, max_size=5),
    st.lists(st.binary(max_size=8), max_size=5),
    st.lists(moments, max_size=5),
    st.lists(st.booleans(), max_size=5),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_sent_arrives(
    connection: psycopg.Connection[Any],
    some: list[str],
    blobs: list[bytes],
    times: list[datetime],
    flags: list[bool],
) -> None:
    asked = (arrays.texts(some), arrays.blobs(blobs), arrays.moments(times), arrays.booleans(flags))
    query = "select %s::text[], %s::bytea[], %s::timestamptz[], %s::boolean[]"
    assert connection.execute(query, asked).fetchone() == (some, blobs, times, flags)
