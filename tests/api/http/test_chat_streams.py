"""Streams: live, resumable, over in time, and no burden on the database."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from time import monotonic

import httpx
import psycopg
import pytest
from sqlalchemy import text
from starlette.types import Message

from api.app import create_app
from api.core.access.holders import Holder
from api.core.chat import service as chat
from api.core.chat.service import ConversationView
from api.http import chat_feed, chat_followers, chat_streams
from api.http.chat_followers import Follower
from api.http.chat_streams import ChatStream
from api.settings import Settings
from tests.serving import Served, serving
from tests.widgets import CHAT, Heard, headers, listen, newcomers

SECONDS = timedelta(seconds=1)


@pytest.fixture(scope="module")
def served(seeded: Settings) -> Iterator[Served]:
    with serving(seeded) as running:
        yield running


@pytest.fixture
def person(served: Served, integration_id: str) -> Holder:
    return newcomers(served.services, integration_id, 1)[0]


@pytest.fixture
def client(served: Served, person: Holder) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, headers=headers(served.services, person)) as opened:
        yield opened


@pytest.fixture
def talk(served: Served, person: Holder) -> ConversationView:
    with served.services.transaction() as session:
        return chat.opened(session, person.space_id, person.entry_id, served.services.clock())


def plain(settings: Settings) -> str:
    return "postgresql://" + settings.platform.database_url.get_secret_value().partition("://")[2]


def say(served: Served, talk: ConversationView, *texts: str) -> None:
    with served.services.transaction() as session:
        for words in texts:
            client_id = hashlib.sha256(words.encode()).hexdigest()
            chat.post(session, talk.id, "founder", client_id, words, served.services.clock())


def test_what_is_said_arrives_at_once_and_a_stream_goes_on_where_it_stopped(
    seeded: Settings, integration_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody polls here: only the database's word can bring a message."""
    monkeypatch.setattr(chat_feed, "POLL_S", 3600.0)
    with serving(seeded) as served:
        person = newcomers(served.services, integration_id, 1)[0]
        with served.services.transaction() as session:
            talk = chat.opened(session, person.space_id, person.entry_id, served.services.clock())
        with httpx.Client(base_url=served.url, headers=headers(served.services, person)) as client:
            say(served, talk, "before")
            stream = listen(client, f"{CHAT}/stream?after=0")
            assert next(stream).data["text"] == "before"
            wait_for_the_listener(served)
            say(served, talk, "now\nand then")
            heard = next(stream)
            assert (heard.event, heard.id, heard.data["text"]) == ("message", "2", "now\nand then")
            stream.close()
            say(served, talk, "away")
            again = listen(client, f"{CHAT}/stream?after=0", headers={"Last-Event-ID": heard.id or ""})
            assert next(again).data["text"] == "away"
            again.close()


def wait_for_the_listener(served: Served) -> None:
    deadline = time.monotonic() + 60
    with psycopg.connect(plain(served.settings), autocommit=True) as connection:
        while not connection.execute(
            "select 1 from pg_stat_activity where application_name = 'firstuser-chat-feed'"
            " and datname = current_database() and state = 'idle' and query ilike 'listen %'"
        ).fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_more_than_a_stream_holds_arrives_all_the_same(
    served: Served, client: httpx.Client, talk: ConversationView
) -> None:
    many = [str(number) for number in range(2 * chat_followers.QUEUE + 7)]
    say(served, talk, *many)
    stream = listen(client, f"{CHAT}/stream")
    assert [next(stream).data["text"] for _ in many] == many
    stream.close()


def test_a_stream_ends_with_its_token(served: Served, person: Holder) -> None:
    short = headers(served.services, person, 2 * SECONDS)
    with httpx.Client(base_url=served.url, headers=short) as client:
        started = monotonic()
        assert list(listen(client, f"{CHAT}/stream")) == [Heard("end", None, {"reason": "expired"})]
        assert monotonic() - started < 3


def test_a_stream_ends_when_access_is_taken_back(
    served: Served, client: httpx.Client, talk: ConversationView, person: Holder
) -> None:
    say(served, talk, "hello")
    stream = listen(client, f"{CHAT}/stream")
    next(stream)
    with served.services.transaction() as session:
        session.execute(text("update grants set revoked_at = now() where id = :id"), {"id": person.grant_id})
    assert list(stream) == [Heard("end", None, {"reason": "revoked"})]


def test_without_the_databases_word_messages_come_all_the_same(
    served: Served, client: httpx.Client, talk: ConversationView
) -> None:
    say(served, talk, "a")
    stream = listen(client, f"{CHAT}/stream")
    next(stream)
    end_the_listener(served)
    say(served, talk, "b", "c")
    assert [next(stream).data["text"] for _ in range(2)] == ["b", "c"]
    stream.close()


def end_the_listener(served: Served) -> None:
    """As soon as it is there: a stream does not wait for it."""
    deadline, ended = time.monotonic() + 20, 0
    with psycopg.connect(plain(served.settings), autocommit=True) as connection:
        while not ended:
            assert time.monotonic() < deadline
            ended = connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'firstuser-chat-feed' and datname = current_database()"
            ).rowcount
            time.sleep(0.05)
    assert ended == 1


def test_one_side_of_a_conversation_has_so_many_streams_and_no_more(
    served: Served, client: httpx.Client, talk: ConversationView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_feed, "MOST_STREAMS_PER_SIDE", 2)
    say(served, talk, "hello")
    with ExitStack() as opened:
        for _ in range(2):
            stream = listen(client, f"{CHAT}/stream")
            opened.callback(stream.close)
            next(stream)
        answer = client.get(f"{CHAT}/stream")
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_streams")


def test_two_hundred_streams_hold_no_connection(served: Served, integration_id: str) -> None:
    """One listens, the pool is idle, and what is said reaches every one of them."""
    people, each = newcomers(served.services, integration_id, 10), 20
    with served.services.transaction() as session:
        now = served.services.clock()
        talks = [chat.opened(session, one.space_id, one.entry_id, now) for one in people]
    frames = [headers(served.services, person) for person in people for _ in range(each)]
    seen = asyncio.run(_all_hear(served, frames, talks))
    assert seen == [f"to {talk.id}" for talk in talks for _ in range(each)]


async def _all_hear(
    served: Served, frames: Sequence[dict[str, str]], talks: Sequence[ConversationView]
) -> list[str]:
    """What each frame hears first; with all streams open, the database is asked who is connected."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=served.url, limits=limits, timeout=30) as client:

        async def hear(frame: dict[str, str]) -> str:
            async with client.stream("GET", f"{CHAT}/stream", headers=frame) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        return str(json.loads(line.removeprefix("data: "))["text"])
            return ""

        waiting = [asyncio.create_task(hear(frame)) for frame in frames]
        while served.services.chat_feed.open_streams < len(waiting):
            await asyncio.sleep(0.05)
        connections = await asyncio.to_thread(_connections, served.settings)
        for talk in talks:
            await asyncio.to_thread(say, served, talk, f"to {talk.id}")
        seen = list(await asyncio.gather(*waiting))
    assert connections["firstuser-chat-feed"] == ["idle"]
    pooled = connections["firstuser-api-development"]
    assert len(pooled) <= 15 and sum(state != "idle" for state in pooled) <= 1  # it may be looking just now
    return seen


def _connections(settings: Settings) -> dict[str, list[str]]:
    """States of the connections to our database by who holds them."""
    with psycopg.connect(plain(settings)) as connection:
        rows = connection.execute(
            "select application_name, state from pg_stat_activity where datname = current_database()"
        ).fetchall()
    found: dict[str, list[str]] = {}
    for name, state in rows:
        found.setdefault(name, []).append(state)
    return found


def test_streams_end_when_the_process_drains(seeded: Settings, integration_id: str) -> None:
    with serving(seeded) as running:
        person = newcomers(running.services, integration_id, 1)[0]
        with httpx.Client(base_url=running.url, headers=headers(running.services, person)) as client:
            stream = listen(client, f"{CHAT}/stream?after=1000000")
            end = running.services.draining.end
            running.loop.call_soon_threadsafe(running.loop.call_later, 0.5, end)
            assert list(stream) == [Heard("end", None, {"reason": "draining"})]


def test_a_client_that_takes_nothing_is_dropped_and_holds_little(
    served: Served, talk: ConversationView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_streams, "SEND_TIMEOUT_S", 0.3)
    say(served, talk, *[str(number) for number in range(chat_followers.QUEUE + 20)])
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) > 3:
            await asyncio.Event().wait()

    async def receive() -> Message:
        return await asyncio.Future[Message]()

    async def stuck() -> tuple[int, int]:
        services = create_app(served.settings).state.services
        follower = Follower(talk.id, 0)
        stream = ChatStream(services.chat_feed, follower, 60)
        task = asyncio.create_task(stream({"type": "http", "method": "GET"}, receive, send))
        while services.chat_feed.open_streams == 0 or not follower.is_full:
            await asyncio.sleep(0.02)
        await asyncio.wait_for(task, 5)
        open_streams = services.chat_feed.open_streams
        await services.chat_feed.close()
        return follower.position, open_streams

    position, left = asyncio.run(stuck())
    assert position <= chat_followers.QUEUE + 3 and left == 0
