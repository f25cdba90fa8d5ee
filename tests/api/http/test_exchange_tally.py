"""What counts as an exchange, and as one that failed: by the fast lane and by the documented route."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from psycopg import OperationalError
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app, in_fast_lane
from api.http.services import Services
from api.settings import Settings
from tests.codes import issue
from tests.product import BASE_URL

EXCHANGE = "/api/integration/v1/access/exchange"
Counted = Callable[[], tuple[int, int]]


@pytest.fixture(scope="module", params=["fast lane", "documented route"])
def served(seeded: Settings, request: pytest.FixtureRequest) -> Iterator[tuple[TestClient, Services]]:
    app: FastAPI = create_app(seeded)
    front = in_fast_lane(app) if request.param == "fast lane" else app
    with TestClient(front, base_url=BASE_URL, raise_server_exceptions=False) as client:
        yield client, app.state.services


@pytest.fixture
def counted(served: tuple[TestClient, Services]) -> Counted:
    """(failed, attempted) since the beginning of the test, of the whole process."""
    tally = served[1].exchange_reports.tally

    def now() -> tuple[int, int]:
        counters = list(tally._counters.values())  # pyright: ignore[reportPrivateUsage]
        return sum(one.failed for one in counters), sum(one.attempted for one in counters)

    before = now()
    return lambda: (now()[0] - before[0], now()[1] - before[1])


def test_good_and_failed_ones_count_and_the_partners_own_mistakes_do_not(
    served: tuple[TestClient, Services],
    counted: Counted,
    partner_keys: dict[str, str],
    integration_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, at = served
    headers = {"Authorization": f"Bearer {partner_keys[integration_id]}"}

    def exchange(code: str, headers: dict[str, str] = headers) -> int:
        return client.post(EXCHANGE, json={"code": code}, headers=headers).status_code

    with at.transaction() as session:
        codes = [issue(session, integration_id, at.clock()).code for _ in range(3)]
    assert [exchange(code) for code in codes] == [200, 200, 200]
    assert counted() == (0, 3)
    assert exchange("no-such-code") == 400 and exchange(codes[0], {"Authorization": "Bearer x"}) == 401
    assert client.post(EXCHANGE, json={}, headers=headers).status_code == 422
    assert counted() == (0, 3)

    async def away(*_: object, **__: object) -> None:
        raise OperationalError("away")

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    for trouble, status in ((away, 503), (broken, 500)):
        monkeypatch.setattr(at.hot, "run", trouble)
        assert exchange(codes[1]) == status
    assert counted() == (2, 5)
    monkeypatch.undo()
    _is_written_down_with_the_process_that_counted(client, at, integration_id)


def _is_written_down_with_the_process_that_counted(
    client: TestClient, at: Services, integration_id: str
) -> None:
    client.portal.call(at.exchange_reports.report)  # type: ignore[union-attr]
    with at.transaction() as session:
        rows = session.execute(
            text("select sum(failed), sum(attempted) from exchange_minutes where integration_id = :id"),
            {"id": integration_id},
        ).one()
        (instance,) = session.execute(text("select * from api_instances")).mappings().all()
    assert rows[1] >= 5 and rows[0] >= 2
    assert instance["flags"] == at.flags.fingerprint != "" and instance["release"] == "dev"
