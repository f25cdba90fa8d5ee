"""The minutely drain: it sends what is due, says how the queue stands, and that it lives."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.alerts import views
from api.core.crypto import Vault
from flows import webhook_retries, wiring
from tests.product import engine, product_url, vault
from tests.webhooks.bulk_receiver import bulk_receiving
from tests.webhooks.dispatching import clear, ports, work

__all__ = ["engine", "product_url", "vault"]


def test_a_run_drains_what_is_due(engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    tables: list[list[dict[str, Any]]] = []

    async def keep(table: list[dict[str, Any]], **_: str) -> None:
        tables.append(table)

    monkeypatch.setattr(webhook_retries, "acreate_table_artifact", keep)
    with bulk_receiving() as receiver:
        work(engine, vault, [receiver.url("/ok/1"), receiver.url("/status/500")], 20)

        async def run() -> State:
            monkeypatch.setattr(wiring, "webhook_ports", lambda: ports(engine, vault))
            return await webhook_retries.webhook_retries.fn(seconds=10)

        ended = asyncio.run(run())
        assert len(receiver.of("/ok/1")) == 20
    assert ended.message and ended.message.startswith("20 delivered, ")
    (row,) = tables[0]
    assert row["retried"] >= 1
    assert (row["delivered"], row["held"], row["exhausted"]) == (20, 0, 0)
    assert row["slowed"] >= 1
    with Session(engine) as session:
        (beat,) = [one for one in views.loops(session) if one.name == webhook_retries.LOOP]
        now = session.execute(text("select now()")).scalar_one()
        assert now - beat.beat_at < timedelta(minutes=1)
    clear(engine)


def test_a_restored_copy_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "webhook_ports", lambda: None)
    assert asyncio.run(webhook_retries.webhook_retries.fn()).message == "webhooks are not set up here"
