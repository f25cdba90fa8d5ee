"""Watching who is live: one look for all, none for nobody, and an end when it has to be."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from api.core.errors import Refused
from api.core.presence.service import LivePage
from api.http import live_feed
from api.http.draining import Draining
from api.http.live_feed import LiveFeed, Over


class Looks:
    """A database that counts how often it was asked."""

    def __init__(self, failing: int = 0) -> None:
        self.asked, self.failing = 0, failing

    def __call__(self, integration_ids: Sequence[str]) -> LivePage:
        self.asked += 1
        if self.asked <= self.failing:
            raise OperationalError("select", None, Exception("away"))
        return LivePage([], self.asked, datetime.now(UTC), 90, None)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "EVERY_S", 0.02)


async def first(feed: LiveFeed, number: int, space: str = "spc") -> list[LivePage | Over]:
    seen: list[LivePage | Over] = []
    watching: AsyncGenerator[LivePage | Over] = feed.watch(space, ["int"], 30)
    async with aclosing(watching):
        async for one in watching:
            seen.append(one)
            if len(seen) == number:
                break
    return seen


def run(work: Callable[[LiveFeed, Looks], Awaitable[None]], looks: Looks | None = None) -> None:
    async def go() -> None:
        asked = looks or Looks()
        await work(LiveFeed(asked, Draining()), asked)

    asyncio.run(go())


def test_all_who_watch_a_space_share_its_looks() -> None:
    async def watch(feed: LiveFeed, looks: Looks) -> None:
        everyone = await asyncio.gather(*(first(feed, 3) for _ in range(40)))
        assert all(len(seen) == 3 for seen in everyone)
        assert looks.asked <= 4 and feed.watchers == 0
        before = looks.asked
        await asyncio.sleep(0.1)
        assert looks.asked == before

    run(watch)


def test_a_database_that_is_away_for_a_moment_ends_nothing() -> None:
    async def watch(feed: LiveFeed, looks: Looks) -> None:
        seen = await first(feed, 2)
        assert [isinstance(one, LivePage) for one in seen] == [True, True] and looks.asked >= 5

    run(watch, Looks(failing=3))


def test_it_ends_with_the_process_and_when_its_time_is_up() -> None:
    async def watch(feed: LiveFeed, looks: Looks) -> None:
        draining = Draining()
        going = LiveFeed(looks, draining)
        task = asyncio.create_task(first(going, 10_000))
        await asyncio.sleep(0.05)
        draining.end()
        assert (await task)[-1] == Over("draining")
        last = [one async for one in feed.watch("spc", ["int"], 0.05)][-1]
        assert last == Over("expired") and feed.watchers == 0

    run(watch)


def test_when_nobody_looks_any_more_the_stream_says_so_and_the_next_begins_anew() -> None:
    class Broken(Looks):
        def __call__(self, integration_ids: Sequence[str]) -> LivePage:
            if self.asked == 1:
                self.asked += 1
                raise ValueError
            return super().__call__(integration_ids)

    async def watch(feed: LiveFeed, looks: Looks) -> None:
        assert (await first(feed, 9))[-1] == Over("interrupted")
        assert isinstance((await first(feed, 1))[0], LivePage)

    run(watch, Broken())


def test_there_is_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "MOST_WATCHERS", 1)

    async def watch(feed: LiveFeed, looks: Looks) -> None:
        feed.check_room()
        task = asyncio.create_task(first(feed, 5))
        await asyncio.sleep(0.03)
        with pytest.raises(Refused) as refused:
            feed.check_room()
        assert refused.value.code == "too_many_streams"
        await task

    run(watch)
