"""What is given up is told of: an alert for each endpoint, every delivery on its list, in one transaction."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.alerts import views
from api.core.alerts.catalogue import EXHAUSTED
from api.core.crypto import Vault
from api.core.webhooks.schedule import WAITS
from api.dispatching import page
from tests.product import engine, product_url, vault
from tests.webhooks.bulk_receiver import bulk_receiving
from tests.webhooks.dispatching import clear, drain, in_the_past, ports, work

__all__ = ["engine", "product_url", "vault"]

ATTEMPTS = len(WAITS)
LAST_TRY = text("update webhook_deliveries set attempts = :before where state = 'open'")
STATES = text("select state, count(*) from webhook_deliveries group by 1")
ALERTS = text("select id, scope, app_id, seen from alerts where rule = :rule order by scope")


@pytest.fixture
def given_up(engine: Engine, vault: Vault) -> Iterator[list[str]]:
    """The integrations of two endpoints that always say 500; each of five deliveries has one try left."""
    with bulk_receiving() as receiver:
        yield work(engine, vault, [receiver.url("/status/500"), receiver.url("/status/501")], 5)
    clear(engine)
    with Session(engine) as session, session.begin():
        session.execute(text("truncate alerts cascade"))


def give_up(engine: Engine) -> None:
    in_the_past(engine)
    with Session(engine) as session, session.begin():
        session.execute(LAST_TRY, {"before": ATTEMPTS - 1})


def test_each_endpoint_is_one_alert_that_lists_all_its_deliveries(
    engine: Engine, vault: Vault, given_up: list[str]
) -> None:
    give_up(engine)
    drain(replace(ports(engine, vault), on_settled=partial(page, "test")))
    with Session(engine) as session:
        found = session.execute(ALERTS, {"rule": EXHAUSTED.name}).all()
        assert sorted(row.app_id for row in found) == sorted(given_up)
        for row in found:
            listed = [detail for _, detail in views.occurrences(session, row.id)]
            assert len({detail["delivery_id"] for detail in listed}) == row.seen == 5
            assert all(detail["delivery_id"].startswith("dlv_") for detail in listed)
            assert {detail["attempt"] for detail in listed} == {str(ATTEMPTS)}
            assert {detail["status"] for detail in listed} <= {"500", "501"}


def test_without_the_alert_nothing_is_given_up(engine: Engine, vault: Vault, given_up: list[str]) -> None:
    give_up(engine)

    def fails(session: Session, settled: object, now: object) -> None:
        raise ConnectionAbortedError("killed before the page")

    with pytest.raises(ConnectionAbortedError):
        drain(replace(ports(engine, vault), on_settled=fails))
    with Session(engine) as session:
        assert {row[0] for row in session.execute(STATES)} == {"open"}
        assert session.execute(ALERTS, {"rule": EXHAUSTED.name}).all() == []
