"""The product's application with slow operations of the test's own: for the process that is told to go."""

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from api.app import create_app
from api.http.draining import Draining
from api.settings import load


def app() -> FastAPI:
    made = create_app(load())
    made.add_api_route("/api/slow", slow)
    made.add_api_route("/api/stuck", stuck)
    made.add_api_route("/api/stream", stream)
    return made


def slow(seconds: float) -> dict[str, str]:
    time.sleep(seconds)
    return {"status": "done"}


async def stuck() -> None:
    await asyncio.Event().wait()


def stream(request: Request) -> StreamingResponse:
    return StreamingResponse(ticks(request.app.state.services.draining), media_type="text/event-stream")


async def ticks(draining: Draining) -> AsyncIterator[str]:
    """As the product's own streams: one event now and then, until the end of the process."""
    ended = asyncio.ensure_future(draining.ended())
    while not ended.done():
        yield "data: tick\n\n"
        await asyncio.wait({ended}, timeout=0.2)
    yield "event: bye\ndata: {}\n\n"
