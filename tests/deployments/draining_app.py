"""The product's application with slow operations of the test's own: for the process that is told to go."""

import asyncio
import time

from fastapi import FastAPI

from api.app import create_app
from api.settings import load


def app() -> FastAPI:
    made = create_app(load())
    made.add_api_route("/api/slow", slow)
    made.add_api_route("/api/stuck", stuck)
    return made


def slow(seconds: float) -> dict[str, str]:
    time.sleep(seconds)
    return {"status": "done"}


async def stuck() -> None:
    await asyncio.Event().wait()
