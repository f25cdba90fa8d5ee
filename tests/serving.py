"""The application served for real on a port of its own: what a TestClient cannot do, such as streams."""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from time import sleep

import httpx
import uvicorn
from dotenv import dotenv_values
from fastapi import FastAPI

from api.app import create_app, in_fast_lane
from api.http.services import Services
from api.settings import Settings
from deployments.bench.places import free_port
from deployments.whole_answers import WholeAnswers
from tests.product import BASE_URL, DATA_KEY, OWNER_PHONE, SESSION_SECRET, WIDGET_SECRET

ROOT = Path(__file__).parents[1]


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
def serving(settings: Settings, secrets_file: Path | None = None) -> Iterator[Served]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    platform = settings.platform.model_copy(update={"public_app_url": url})
    settings = replace(settings, platform=platform)
    app = create_app(settings, secrets_file=secrets_file)
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


def environment(settings: Settings) -> dict[str, str]:
    """What a process of its own needs to serve the same product."""
    return {
        "DATABASE_URL": settings.platform.database_url.get_secret_value(),
        "SESSION_SECRET": SESSION_SECRET,
        "INTEGRATION_WIDGET_SIGNING_SECRET": WIDGET_SECRET,
        "FIRSTUSER_DATA_KEY": DATA_KEY,
        "PUBLIC_APP_URL": BASE_URL,
        "FOUNDER_PHONES": OWNER_PHONE,
        "FIRSTUSER_OUTBOX_DIR": str(settings.service.outbox_dir),
    }


@contextmanager
def processes(settings: Settings, count: int, file: Path | None = None) -> Iterator[list[str]]:
    """So many processes of the API on one database, started as in production, where a secret is none that can
    be read here; their addresses. What `file` holds they read there."""
    drawn = {name: secrets.token_hex(32) for name in ("SESSION_SECRET", "INTEGRATION_WIDGET_SIGNING_SECRET")}
    variables = {**os.environ, **environment(settings), **drawn}
    if file is not None:
        kept = {name: value for name, value in variables.items() if name not in dotenv_values(file)}
        variables = {**kept, "FIRSTUSER_ENV_FILE": str(file)}
    ports = [free_port() for _ in range(count)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--factory", "api.app:production_app", "--port", str(port)],
            cwd=ROOT,
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for port in ports
    ]
    try:
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for url, process in zip(urls, started, strict=True):
            deadline = time.monotonic() + 30
            while not ready(url):
                assert time.monotonic() < deadline and process.poll() is None
                sleep(0.05)
        yield urls
    finally:
        for process in started:
            process.kill()
            process.wait()


def ready(url: str, status: int = 200) -> bool:
    """Whether it says that it is ready, or that it is not: 503."""
    try:
        return httpx.get(f"{url}/api/readyz").status_code == status
    except httpx.TransportError:
        return False
