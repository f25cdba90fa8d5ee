"""What the drill tests look at from outside: rows, copies, where staging points, the processes of a run."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psutil
import psycopg

from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.providers.messaging.outbox import Outbox
from tests.inbox import code_sent
from tests.stack.conftest import StackUnderTest


def query(stack: StackUnderTest, sql: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    """As the administrator of production's database."""
    url = f"postgresql://firstuser_admin@127.0.0.1:{stack.ports.postgres}/firstuser"
    with psycopg.connect(f"{url}?passfile={stack.state.passwords}", autocommit=True) as connection:
        answer = connection.execute(sql, values)
        return answer.fetchall() if answer.description else []


def archive_up_to_now(stack: StackUnderTest) -> datetime:
    """Wait for a beacon, then force everything committed so far into the archive."""
    newest = query(stack, "SELECT coalesce(max(id), 0) FROM ops.beacons")[0][0]
    while query(stack, "SELECT coalesce(max(id), 0) FROM ops.beacons")[0][0] < newest + 2:
        time.sleep(0.2)
    database(stack).seal()
    return datetime.now(UTC)


def database(stack: StackUnderTest) -> EmbeddedDatabase:
    return EmbeddedDatabase.from_settings(stack.settings())


def staging(stack: StackUnderTest) -> Mapping[str, Any]:
    answer = httpx.get(f"{stack.ports.url('staging')}/api/readyz?verbose", timeout=5, trust_env=False)
    return answer.json()


def assert_tidy(stack: StackUnderTest) -> None:
    """Staging serves its own database, no copy exists, nothing is left to undo."""
    state = staging(stack)
    assert (state["status"], state["restored_copy"], state["as_of"]) == ("ok", None, None)
    assert list(database(stack).orphans(datetime.now(UTC))) == []
    assert list(Path(stack.state.root / "pg" / "drills").glob("drill-*")) == []
    assert query(stack, "SELECT id FROM ops.drills WHERE status = 'running'") == []


def processes_of_flow_runs(stack: StackUnderTest) -> list[psutil.Process]:
    """The processes in which the worker executes flow runs."""
    worker = psutil.Process(stack.status()["prefect-worker"]["pid"])
    return worker.children(recursive=True)


@contextmanager
def signed_in(stack: StackUnderTest) -> Iterator[httpx.Client]:
    """The owner of the homepage's space in production."""
    base, owner = stack.ports.url("api"), stack.settings().platform.homepage_owner_phone
    outbox = Outbox(stack.state.outbox("production"))
    with httpx.Client(base_url=base, headers={"Origin": base}, timeout=15, trust_env=False) as founder:
        asked_at = datetime.now(UTC)
        founder.post("/auth/otp/start", json={"phone": owner}).raise_for_status()
        code = code_sent(outbox, owner, asked_at)
        founder.post("/auth/otp/verify", json={"code": code}).raise_for_status()
        yield founder
