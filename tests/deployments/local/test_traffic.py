"""The traffic generator, against an API that is there, away, and refusing."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from api.core.crypto import Vault, data_keys
from api.db.engine import Engine, make_engine
from api.settings import Settings
from deployments.local import traffic as traffic_module
from deployments.local.traffic import Partner, Traffic, make, run
from tests.product import DATA_KEY, seeded

__all__ = ["seeded"]


@pytest.fixture
def engine(seeded: Settings) -> Iterator[Engine]:
    made = make_engine(seeded.platform.database_url.get_secret_value())
    yield made
    made.dispose()


def traffic(engine: Engine, seeded: Settings, handler: httpx.MockTransport) -> Traffic:
    partners = [Partner(*known, ["u-1", "u-2"]) for known in partner_keys(seeded)]
    http = httpx.Client(transport=handler, base_url="http://api.test")
    return Traffic(http, engine, Vault(data_keys(DATA_KEY)), partners)


def partner_keys(seeded: Settings) -> list[tuple[str, str]]:
    return [(one.integration_id, one.api_key) for one in make(seeded, "http://api.test")._partners]


def accepting(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"accepted": 1, "rejected": 0})


def test_it_changes_the_database_and_keeps_its_rate(engine: Engine, seeded: Settings) -> None:
    made = traffic(engine, seeded, httpx.MockTransport(accepting))
    tally = run(made, 40, 2, threading.Event())
    assert 10 <= tally.actions <= 82  # fewer on a busy machine, never more
    assert tally.heartbeats and tally.joined and tally.refused == tally.retries == 0
    made.accept(made._partners[0])
    assert tally.accepted >= 1 and tally.exchanged >= 1


def test_an_api_that_goes_away_is_waited_for(
    engine: Engine, seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_module, "_BACKOFF_S", (0.01,))
    answers = iter([httpx.Response(503), httpx.Response(500)])

    def flaky(request: httpx.Request) -> httpx.Response:
        answer = next(answers, None)
        if answer is None:
            return accepting(request)
        return answer

    tally = run(traffic(engine, seeded, httpx.MockTransport(flaky)), 100, 1, threading.Event())
    assert tally.retries == 2 and tally.heartbeats > 0


def test_a_refused_key_is_counted_not_hidden(engine: Engine, seeded: Settings) -> None:
    made = traffic(engine, seeded, httpx.MockTransport(lambda _: httpx.Response(401)))
    made.heartbeat(made._partners[0])
    assert (made.tally.refused, made.tally.heartbeats) == (1, 0)


def test_told_to_stop_it_stops_at_once(engine: Engine, seeded: Settings) -> None:
    stop = threading.Event()
    stop.set()
    assert run(traffic(engine, seeded, httpx.MockTransport(accepting)), 1, 0, stop).actions == 0
