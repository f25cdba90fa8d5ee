"""The minutely drain: it sends what is due, says how the queue stands, and that it lives."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from prefect.client.schemas.objects import State
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.alerts import views
from api.core.crypto import Vault
from api.core.webhooks.standing import Standing
from flows import webhook_retries, wiring
from tests.product import engine, product_url, vault
from tests.webhooks.bulk_receiver import bulk_receiving
from tests.webhooks.dispatching import clear, ports, work

__all__ = ["engine", "product_url", "vault"]


def test_a_run_drains_what_is_due(engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[str] = []

    async def keep(markdown: str, **_: str) -> None:
        reports.append(markdown)

    monkeypatch.setattr(webhook_retries, "acreate_markdown_artifact", keep)
    with bulk_receiving() as receiver:
        work(engine, vault, [receiver.url("/ok/1"), receiver.url("/status/500")], 20)

        async def run() -> State:
            monkeypatch.setattr(wiring, "webhook_ports", lambda: ports(engine, vault))
            return await webhook_retries.webhook_retries.fn(seconds=10)

        ended = asyncio.run(run())
        assert len(receiver.of("/ok/1")) == 20
    assert ended.message and ended.message.startswith("20 delivered, ")
    did, waits = [numbers(table) for table in reports[0].split("What waits after it:")]
    assert (did["delivered"], did["given up"], waits["paused"]) == ("20", "0", "0")
    assert int(did["to be tried again"]) >= 1
    assert int(waits["slowed down"]) >= 1
    assert "Nothing to do." in reports[0]
    with Session(engine) as session:
        (beat,) = [one for one in views.loops(session) if one.name == webhook_retries.LOOP]
        now = session.execute(text("select now()")).scalar_one()
        assert now - beat.beat_at < timedelta(minutes=1)
    clear(engine)


def numbers(text: str) -> dict[str, str]:
    """Of the only table in it."""
    names, _, values = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return dict(zip(names, values, strict=True))


def test_the_report_says_what_to_do_about_what_was_seen() -> None:
    idle = Standing(3, None, 0, 0, 0, 0, 0)
    seen = {
        "Nothing to do": (0, idle, timedelta(seconds=59)),
        "2 given up": (2, idle, timedelta()),
        "3 are due, the oldest for 61 s": (0, idle, timedelta(seconds=61)),
        "4 wait for a pause": (0, replace(idle, held=4), timedelta()),
        "5 wait for their endpoint": (0, replace(idle, disabled=5), timedelta()),
    }
    for said, facts in seen.items():
        (step,) = webhook_retries.next_steps(*facts)
        assert said in step and ".md" in step


def test_a_restored_copy_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "webhook_ports", lambda: None)
    assert asyncio.run(webhook_retries.webhook_retries.fn()).message == "webhooks are not set up here"
