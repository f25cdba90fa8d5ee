"""The calls of the fast lane: how each is read, handed to its batch, and answered."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from api.core.access.exchange import Outcome
from api.core.access.exchange_rules import attempt
from api.core.access.lookups import IntegrationFacts
from api.core.access.milestones import Key
from api.core.presence.pages import PageAsked
from api.core.presence.rules import Beat
from api.core.presence.service import LivePage
from api.db.engine import DATABASE_AWAY
from api.http import errors, fast_answers, fast_bodies, hot_calls
from api.http.fast_bodies import ExchangeAsked
from api.http.services import Services

PREFIX = "/api/integration/v1"
_LIMIT = re.compile(rb"limit=([1-9][0-9]?|100)")

Asked = TypeVar("Asked")
Found = TypeVar("Found")
Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """What a call may be read from; `body` is whole."""

    integration_id: str
    headers: Headers
    query: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[Asked, Found]):
    """`read`: what is asked for, None for anything unusual. `submit`: what was read, the integration and the
    request's id → what the batch finds. `answer`: that, the integration and the request's id → the body of a
    200; raises what the route answers with a problem."""

    first_time: Key
    read: Callable[[Request], Asked | None]
    submit: Callable[[Asked, str, str], asyncio.Future[Found]]
    answer: Callable[[Found, str, str], bytes]


def calls(at: Services) -> Mapping[tuple[str, str], Call[Any, Any]]:
    """By method and path."""
    hot, clock, live_ttl = at.calls, at.clock, at.settings.service.live_ttl_seconds
    tally = at.exchange_reports.tally

    def beats(asked: Request) -> Sequence[Beat] | None:
        return fast_bodies.beats(asked.body, clock())

    def record(asked: Sequence[Beat], integration_id: str, _: str) -> asyncio.Future[tuple[int, int]]:
        return hot.heartbeats.submit((integration_id, asked))

    def recorded(counts: tuple[int, int], _integration: str, _request: str) -> bytes:
        return fast_answers.heartbeat(*counts, live_ttl)

    def exchange(asked: ExchangeAsked, integration_id: str, request_id: str) -> asyncio.Future[Outcome]:
        key = hot_calls.attempt_key(asked.idempotency_key, request_id)
        tried = attempt(integration_id, asked.code, asked.return_url, asked.code_verifier, key, clock())
        try:
            answer = hot.exchanges.submit(tried)
        except DATABASE_AWAY:
            tally.failed(integration_id)
            raise
        answer.add_done_callback(partial(count_failure, integration_id))
        return answer

    def count_failure(integration_id: str, answer: asyncio.Future[Outcome]) -> None:
        error = answer.exception()
        if isinstance(error, Exception) and errors.is_server_failure(error):
            tally.failed(integration_id)

    def exchanged(outcome: Outcome, integration_id: str, request_id: str) -> bytes:
        found = hot_calls.granted(outcome, integration_id, request_id)
        tally.succeeded(integration_id)
        return fast_answers.exchanged(found)

    def page(asked: PageAsked, _integration: str, _request: str) -> asyncio.Future[LivePage]:
        return hot.live_pages.submit(asked)

    def listed(found: LivePage, _integration: str, _request: str) -> bytes:
        return fast_answers.live_users(found)

    def look_up(_: str, integration_id: str, _request: str) -> asyncio.Future[IntegrationFacts | None]:
        return hot.integrations.submit(integration_id)

    def looked_up(found: IntegrationFacts | None, integration_id: str, _: str) -> bytes:
        return fast_answers.integration(hot_calls.existing(found, integration_id))

    return {
        ("POST", f"{PREFIX}/heartbeat"): Call("heartbeat", beats, record, recorded),
        ("POST", f"{PREFIX}/access/exchange"): Call("exchange", _read_exchange, exchange, exchanged),
        ("GET", f"{PREFIX}/users/live"): Call("first_call", _read_page, page, listed),
        ("GET", f"{PREFIX}/me"): Call("first_call", _read_me, look_up, looked_up),
    }


def _read_exchange(asked: Request) -> ExchangeAsked | None:
    return fast_bodies.exchange(asked.headers, asked.body)


def _read_me(asked: Request) -> str | None:
    return None if asked.query else asked.integration_id


def _read_page(asked: Request) -> PageAsked | None:
    """The first page, of a plain size."""
    if not asked.query:
        return PageAsked(asked.integration_id)
    size = _LIMIT.fullmatch(asked.query)
    return PageAsked(asked.integration_id, limit=int(size[1])) if size else None
