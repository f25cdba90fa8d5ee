"""SIGTERM at a real process: not ready first, then the balancer's interval, then what is in flight ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

import httpx
import pytest

from api.app import create_app
from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from deployments import serve
from deployments.bench.places import free_port
from deployments.local.seed import partner_keys_file
from tests.inbox import code_sent
from tests.product import BASE_URL, OWNER_PHONE, SLUG, seeded
from tests.serving import ROOT, environment, ready
from tests.widgets import CHAT, Heard, headers, listen, newcomers

__all__ = ["seeded"]

INTERVAL_S = 2.5
COMMAND = """
from deployments import serve
serve.GRACE_S, serve.LAST_S = {patience}
serve.serve("127.0.0.1", {port}, "tests.deployments.draining_app:app")
"""
PATIENCE = (serve.GRACE_S, serve.LAST_S)
SHORT = (2, 1)  # for what has to be given up on
Start = Callable[..., "Service"]


class Service:
    """A process of the API that serves."""

    def __init__(self, settings: Settings, drain_seconds: float, patience: tuple[int, int]) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        variables = environment(settings) | {"FIRSTUSER_DRAIN_SECONDS": str(drain_seconds)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND.format(port=port, patience=patience)],
            cwd=ROOT,
            env={**os.environ, **variables},
        )
        deadline = time.monotonic() + 30
        while not self.answers(200):
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.05)

    def answers(self, status: int) -> bool:
        return ready(self.url, status)

    def founder(self, outbox: Outbox) -> httpx.Client:
        client = httpx.Client(base_url=self.url, headers={"Origin": BASE_URL}, timeout=20)
        asked_at = datetime.now(UTC)
        client.post("/auth/otp/start", json={"phone": OWNER_PHONE})
        code = code_sent(outbox, OWNER_PHONE, asked_at)
        assert client.post("/auth/otp/verify", json={"code": code}).status_code == 200
        return client

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@pytest.fixture
def start(seeded: Settings) -> Iterator[Start]:
    started: list[Service] = []

    def new(drain_seconds: float, patience: tuple[int, int] = PATIENCE) -> Service:
        started.append(Service(seeded, drain_seconds, patience))
        return started[-1]

    yield new
    for service in started:
        service.process.kill()
        service.process.wait()


def test_a_drain_loses_nothing(start: Start, seeded: Settings) -> None:
    service, noticed = start(INTERVAL_S), Event()
    founder = service.founder(Outbox(seeded.service.outbox_dir))
    with ThreadPoolExecutor(4) as pool:
        chat = pool.submit(chat_events, service.url, seeded)
        slow = pool.submit(httpx.get, f"{service.url}/api/slow?seconds={INTERVAL_S + 1}", timeout=20)
        streamed = pool.submit(founder.get, f"/api/founder/v1/spaces/{SLUG}/live/stream")
        visits = pool.submit(visit_until, noticed, service.url)
        time.sleep(0.3)
        service.terminate()
        told = time.monotonic()
        while not service.answers(503):
            assert time.monotonic() - told < INTERVAL_S
        time.sleep(INTERVAL_S / 4)
        noticed.set()
        code, took = service.process.wait(timeout=15), time.monotonic() - told
        assert slow.result().json() == {"status": "done"}
        assert streamed.result().text.endswith('event: end\ndata: {"reason":"draining"}\n\n')
        assert set(visits.result()) == {200}
        assert chat.result() == [Heard("end", None, {"reason": "draining"})]
    assert code == 0
    assert INTERVAL_S < took < INTERVAL_S + 10


def chat_events(url: str, settings: Settings) -> list[Heard]:
    """What the stream of somebody's conversation says until it is over."""
    services = create_app(settings).state.services
    person = newcomers(services, next(iter(json.loads(partner_keys_file(settings).read_text()))), 1)[0]
    with httpx.Client(base_url=url, headers=headers(services, person)) as client:
        return list(listen(client, f"{CHAT}/stream"))


def visit_until(noticed: Event, url: str) -> list[int]:
    """The statuses of visits, each by a connection of its own, until the balancer has noticed."""
    statuses: list[int] = []
    while not noticed.is_set():
        statuses.append(httpx.get(f"{url}/").status_code)
    return statuses


def test_a_second_signal_skips_the_interval(start: Start) -> None:
    service = start(60)
    service.terminate()
    while not service.answers(503):
        time.sleep(0.05)
    service.terminate()
    assert service.process.wait(timeout=5) == 0


def test_what_never_ends_is_cancelled(start: Start) -> None:
    service = start(0, SHORT)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(httpx.get, f"{service.url}/api/stuck", timeout=30)
        time.sleep(0.3)
        service.terminate()
        assert service.process.wait(timeout=12) == 0
        assert stuck.exception() is not None or stuck.result().status_code >= 500


def test_what_cannot_be_cancelled_is_left_behind(start: Start) -> None:
    service = start(0, SHORT)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(httpx.get, f"{service.url}/api/slow?seconds=60")
        time.sleep(0.3)
        service.terminate()
        assert service.process.wait(timeout=15) == 1
