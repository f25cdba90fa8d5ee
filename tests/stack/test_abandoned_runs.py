"""Against the stack's own Prefect: what a dead worker took ends with the next one's start, and no other."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, State
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Pending, Running, Scheduled

from deployments.orchestration.abandoned import MESSAGE, TAKEN_BY, end_taken_before
from tests.stack.conftest import StackUnderTest

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]
ME, DEAD, ALIVE = "me", "dead", "alive"


@flow(name="taken")
def taken() -> None: ...


@pytest.fixture(autouse=True)
def prefect(stack: StackUnderTest) -> Generator[None]:
    login = stack.state.prefect_login.read_text().strip()
    url = f"{stack.ports.url('prefect')}/api"
    with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: login}):
        yield


@dataclass(frozen=True, slots=True)
class Pool:
    client: PrefectClient
    flow: UUID
    name: str

    async def deployment(self, limit: int | None = None) -> UUID:
        skip = ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
        return await self.client.create_deployment(
            self.flow,
            f"taken-{uuid4().hex[:8]}",
            work_pool_name=self.name,
            concurrency_limit=limit,
            concurrency_options=skip if limit else None,
        )

    async def run(self, deployment: UUID, state: State, by: str = "") -> UUID:
        made = await self.client.create_flow_run_from_deployment(deployment)
        if by:
            await self.client.update_flow_run_labels(made.id, {TAKEN_BY: by})
        await self.client.set_flow_run_state(made.id, state)
        return made.id

    async def states(self, runs: dict[str, UUID]) -> dict[str, str]:
        found = {name: await self.client.read_flow_run(run) for name, run in runs.items()}
        return {name: run.state.type.value if run.state else "" for name, run in found.items()}


@asynccontextmanager
async def pools() -> AsyncGenerator[tuple[Pool, Pool]]:
    """Two that nobody works for; a worker of the first says that it lives. All is gone afterwards."""
    async with get_client() as client:
        one = await client.create_flow(taken)
        made = [Pool(client, one, f"pool-{uuid4().hex[:8]}") for _ in range(2)]
        for pool in made:
            await client.create_work_pool(WorkPoolCreate(name=pool.name, type="process"))
        try:
            yield made[0], made[1]
        finally:
            await client.delete_flow(one)
            for pool in made:
                await client.delete_work_pool(pool.name)


def test_what_a_dead_worker_had_taken_ends_and_nothing_else() -> None:
    asyncio.run(ended())


async def ended() -> None:
    async with pools() as (ours, theirs):
        at, elsewhere = await ours.deployment(), await theirs.deployment()
        runs = {
            "of the one before me": await ours.run(at, Pending(), ME),
            "of a dead one": await ours.run(at, Pending(), DEAD),
            "of one alive": await ours.run(at, Pending(), ALIVE),
            "of one not yet said": await ours.run(at, Pending()),
            "not taken": await ours.run(at, Scheduled()),
            "begun": await ours.run(at, Running(), DEAD),
            "of another pool": await theirs.run(elsewhere, Pending(), DEAD),
        }
        start = datetime.now(UTC)
        runs["taken since"] = await ours.run(at, Pending(), ME)
        for name, beats_every in ((ALIVE, 30), (ME, 30)):
            await ours.client.send_worker_heartbeat(ours.name, name, beats_every)
        before = await ours.states(runs)
        assert len(await end_taken_before(start, ours.name, ME)) == 2
        crashed = {"of the one before me": "CRASHED", "of a dead one": "CRASHED"}
        assert await ours.states(runs) == before | crashed
        seen = (await ours.client.read_flow_run(runs["of a dead one"])).state
        assert seen is not None
        assert seen.message == MESSAGE
        assert await end_taken_before(start, ours.name, ME) == []


def test_with_no_other_worker_alive_it_need_not_say_who_took_it() -> None:
    """A worker takes a run and then says who it is: killed in between it never does."""
    asyncio.run(unsaid())


async def unsaid() -> None:
    async with pools() as (ours, _):
        run = {"unsaid": await ours.run(await ours.deployment(), Pending())}
        await ours.client.send_worker_heartbeat(ours.name, ME, 30)
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        assert await end_taken_before(long_ago, ours.name, ME) == []
        assert len(await end_taken_before(datetime.now(UTC), ours.name, ME)) == 1
        assert await ours.states(run) == {"unsaid": "CRASHED"}


def test_the_slot_of_the_deployment_is_free_again() -> None:
    asyncio.run(free_again())


async def free_again() -> None:
    async with pools() as (ours, _):
        one_at_a_time = await ours.deployment(limit=1)
        await ours.run(one_at_a_time, Pending(), DEAD)
        turned_away = {"next": await ours.run(one_at_a_time, Pending(), ME)}
        assert await ours.states(turned_away) == {"next": "CANCELLED"}
        await end_taken_before(datetime.now(UTC), ours.name, ME)
        goes_on = {"next": await ours.run(one_at_a_time, Pending(), ME)}
        assert await ours.states(goes_on) == {"next": "PENDING"}
