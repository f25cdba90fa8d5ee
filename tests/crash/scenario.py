"""What the harness needs to know of a flow; everything here runs in a process of its own."""

import asyncio
import inspect
import os
import sys
from collections.abc import Generator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol
from uuid import UUID

from prefect import Task
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.evidence import service as evidence
from api.db.engine import make_engine, session_scope
from api.settings import load
from flows import wiring
from tests.crash.points import POINTS
from tests.product import product_settings

STATE = "CRASH_STATE"
DATABASE = "CRASH_DATABASE"
EVERY = "CRASH_EVERY"


class Scenario(Protocol):
    """`before` makes all ready for a run; `watch` names the calls to the outside; `next_run` is what comes by
    itself after a kill; `wrong` are the broken invariants, a sentence each."""

    def tasks(self) -> int: ...
    def before(self) -> None: ...
    def watch(self) -> None: ...
    def run(self) -> None: ...
    def next_run(self) -> None: ...
    def wrong(self) -> list[str]: ...


class Made(UUID):
    """An artifact's id, which asynchronous flows wait for."""

    def __await__(self) -> Generator[None, None, "Made"]:
        return self
        yield


class _Log:
    def info(self, *_said: object) -> None: ...
    def warning(self, *_said: object) -> None: ...


def state() -> Path:
    return Path(os.environ[STATE])


def extra(name: str) -> str:
    """What the test gave this scenario besides."""
    return os.environ[f"CRASH_{name.upper()}"]


@cache
def engine() -> Engine:
    return make_engine(os.environ[DATABASE])


def transaction() -> Any:
    return session_scope(engine())


def wire(**more: Any) -> None:
    """The flows' wiring over the database of this run. Artifacts and run logs go nowhere."""
    settings = product_settings(load(), os.environ[DATABASE], state())
    made: dict[str, Any] = {"settings": lambda: settings, "engine": engine, "transaction": transaction}
    for name, value in (made | more).items():
        setattr(wiring, name, value)
    for name, module in list(sys.modules.items()):
        if name.startswith("flows."):
            _quiet(module)


def _quiet(module: ModuleType) -> None:
    for name in vars(module):
        if name.endswith("_artifact") and name.startswith(("create_", "update_", "acreate_", "aupdate_")):
            setattr(module, name, lambda *_words, **_artifact: Made(int=1))
    if hasattr(module, "get_run_logger"):
        module.get_run_logger = _Log  # type: ignore[attr-defined]


def run(flow: Any, **parameters: Any) -> Any:
    """The flow's own function. From here on every place counts."""
    POINTS.armed = True
    if inspect.iscoroutinefunction(flow.fn):
        return asyncio.run(flow.fn(**parameters))
    return flow.fn(**parameters)


def tasks_of(module: ModuleType) -> int:
    return sum(isinstance(one, Task) for one in vars(module).values())


def broken_chains(*streams: str) -> list[str]:
    with Session(engine()) as session:
        found = {stream: evidence.verify(session, stream) for stream in streams}
    return [f"the chain of {stream} is broken: {problem}" for stream, problem in found.items() if problem]
