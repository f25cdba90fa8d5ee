"""Housekeeping against the stack's own Prefect: old runs of the flows it is told go, with what they wrote."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterId,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import State, StateType
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows import housekeeping
from tests.stack.conftest import StackUnderTest

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]


@flow(name="forgotten")
def minutely() -> None:
    """Stands for the stack's own, whose runs this test leaves alone."""


@flow(name="not-forgotten")
def rare() -> None: ...


@pytest.fixture(autouse=True)
def prefect(stack: StackUnderTest, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setattr(housekeeping, "MINUTELY", [minutely.name])
    login = stack.state.prefect_login.read_text().strip()
    url = f"{stack.ports.url('prefect')}/api"
    with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: login}):
        yield


@asynccontextmanager
async def client_of_both() -> AsyncGenerator[PrefectClient]:
    """Both flows, and all that hangs on them, are gone afterwards."""
    async with get_client() as client:
        flows = [await client.create_flow(one) for one in (minutely, rare)]
        try:
            yield client
        finally:
            for one in flows:
                await client.delete_flow(one)


async def run_of(client: PrefectClient, of: object, type: StateType) -> UUID:
    made = await client.create_flow_run(of, state=State(type=type))  # type: ignore[arg-type]
    return made.id


async def artifact_of(client: PrefectClient, run: UUID) -> UUID:
    return (await client.create_artifact(ArtifactCreate(type="markdown", data="said", flow_run_id=run))).id


async def left_of(client: PrefectClient, runs: dict[str, UUID]) -> set[str]:
    asked = FlowRunFilter(id=FlowRunFilterId(any_=list(runs.values())))
    left = {run.id for run in await client.read_flow_runs(flow_run_filter=asked)}
    return {name for name, run in runs.items() if run in left}


def test_what_ended_long_ago_goes_and_nothing_else() -> None:
    asyncio.run(forgotten())


async def forgotten() -> None:
    """Failed or not: an alert has told of it, and our tables keep what was done."""
    async with client_of_both() as client:
        runs = {
            "old": await run_of(client, minutely, StateType.COMPLETED),
            "old and failed": await run_of(client, minutely, StateType.FAILED),
            "under way": await run_of(client, minutely, StateType.RUNNING),
            "of another flow": await run_of(client, rare, StateType.COMPLETED),
        }
        before = datetime.now(UTC)
        runs |= {
            "young": await run_of(client, minutely, StateType.COMPLETED),
            "young and failed": await run_of(client, minutely, StateType.FAILED),
        }
        theirs = [await artifact_of(client, runs["old"]) for _ in range(3)]
        kept = await artifact_of(client, runs["young"])
        assert await housekeeping.forget_runs(before) == 2
        assert await left_of(client, runs) == runs.keys() - {"old", "old and failed"}
        asked = ArtifactFilter(id=ArtifactFilterId(any_=[*theirs, kept]))
        assert [one.id for one in await client.read_artifacts(artifact_filter=asked)] == [kept]
        assert await housekeeping.forget_runs(before) == 0


def test_in_pieces_with_more_artifacts_than_are_read_at_once_and_no_more_than_the_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(housekeeping, "_RUNS_AT_ONCE", 2)
    monkeypatch.setattr(housekeeping, "MOST_RUNS", 4)
    asyncio.run(forgotten_in_pieces())


async def forgotten_in_pieces() -> None:
    async with client_of_both() as client:
        runs = {str(n): await run_of(client, minutely, StateType.COMPLETED) for n in range(5)}
        artifacts = [await artifact_of(client, run) for run in runs.values() for _ in range(3)]
        before = datetime.now(UTC)
        assert await housekeeping.forget_runs(before) == 4
        assert len(await left_of(client, runs)) == 1
        asked = ArtifactFilter(id=ArtifactFilterId(any_=artifacts))
        assert len(await client.read_artifacts(artifact_filter=asked)) == 3
        assert await housekeeping.forget_runs(before) == 1
