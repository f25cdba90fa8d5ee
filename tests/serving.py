"""The application served for real on a port of its own: what a TestClient cannot do, such as streams."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Thread
from time import sleep

import uvicorn
from fastapi import FastAPI

from api.app import create_app, in_fast_lane
from api.http.services import Services
from api.settings import Settings
from deployments.bench.places import free_port
from deployments.whole_answers import WholeAnswers


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    app: FastAPI
    settings: Settings
    loop: asyncio.AbstractEventLoop

    @property
    def services(self) -> Services:
        return self.app.state.services


@contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    platform = settings.platform.model_copy(update={"public_app_url": url})
    settings = replace(settings, platform=platform)
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(in_fast_lane(app), host="127.0.0.1", port=port, http=WholeAnswers, log_level="warning")
    )
    loops: list[asyncio.AbstractEventLoop] = []

    def run() -> None:
        with asyncio.Runner() as runner:
            loops.append(runner.get_loop())
            runner.run(server.serve())

    thread = Thread(target=run, daemon=True)
    thread.start()
    while not server.started:
        sleep(0.02)
    yield Served(url, app, settings, loops[0])
    loops[0].call_soon_threadsafe(app.state.services.draining.end)
    server.should_exit = True
    thread.join(timeout=10)
