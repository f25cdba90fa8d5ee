"""Live users as a stream over real HTTP: many watch, none holds a connection, a drained process lets go."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import psycopg
import pytest

from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from tests.api.http.conftest import log_in
from tests.product import SLUG
from tests.serving import Served, serving

API = "/api/founder/v1"
STREAM = f"{API}/spaces/{SLUG}/live/stream"
WATCHERS = 60


@pytest.fixture
def served(seeded: Settings) -> Iterator[Served]:
    with serving(seeded) as running:
        yield running


@pytest.fixture
def founder(served: Served, outbox: Outbox) -> Iterator[httpx.Client]:
    limits = httpx.Limits(max_connections=WATCHERS + 10)
    with httpx.Client(base_url=served.url, headers={"Origin": served.url}, limits=limits) as client:
        log_in(client, outbox)  # type: ignore[arg-type]
        yield client


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """(event, data) as they come; comments left out."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_sixty_watch_and_nobody_holds_a_connection(
    served: Served, founder: httpx.Client, seeded: Settings
) -> None:
    with ExitStack() as open_streams:
        streams = [
            events(open_streams.enter_context(founder.stream("GET", STREAM, timeout=30)).iter_lines())
            for _ in range(WATCHERS)
        ]
        for stream in streams:
            name, said = next(stream)
            assert name == "live" and said["window_seconds"] == 90
        assert served.services.live_feed.watchers == WATCHERS
        with psycopg.connect(seeded.platform.database_url.get_secret_value()) as connection:
            row = connection.execute(
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and state = 'idle in transaction'"
            ).fetchone()
        assert row == (0,)
        assert founder.get(f"{API}/spaces/{SLUG}", timeout=5).status_code == 200
        served.loop.call_soon_threadsafe(served.services.draining.end)
        for stream in streams:
            assert list(stream)[-1] == ("end", {"reason": "draining"})


def test_strangers_hear_nothing(served: Served) -> None:
    answer = httpx.get(served.url + STREAM)
    assert (answer.status_code, answer.json()["code"]) == (401, "login_required")
