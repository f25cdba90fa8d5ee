"""Kills a flow at every place that it passes, one process each: `python -m tests.crash.harness SCENARIO`.

Imports are done once and each run is a fork of that: its own connections, its own caches, a real SIGKILL.
Says a line of JSON: {"tasks": how many the flow has, "points": the labels, "wrong": [what was wrong after]}.
The place for its state, and the database, are in the environment as `CRASH_STATE` and `CRASH_DATABASE`;
`CRASH_EVERY=5` kills at every fifth place only.
"""

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.crash import points
from tests.crash.scenario import EVERY, STATE, Scenario


def main(name: str) -> None:
    scenario = importlib.import_module(f"tests.crash.scenarios.{name}").SCENARIO
    _in_a_fork(scenario.before)
    labels = _in_a_fork(lambda: _run(scenario, None))
    wrong = [f"left alone: {one}" for one in _in_a_fork(lambda: _after(scenario))]
    for number, label in list(enumerate(labels, 1))[:: int(os.environ.get(EVERY, "1"))]:
        _in_a_fork(lambda number=number: _run(scenario, number), may_die=True)
        wrong += [f"{number} {label}: {one}" for one in _in_a_fork(lambda: _after(scenario))]
    print(json.dumps({"tasks": scenario.tasks(), "points": labels, "wrong": wrong}))


def _run(scenario: Scenario, strike: int | None) -> list[str]:
    points.watch_tasks()
    points.watch_commits()
    scenario.watch()
    points.POINTS.strike = strike
    scenario.run()
    return points.POINTS.passed


def _after(scenario: Scenario) -> list[str]:
    """What is wrong once whatever comes next has come; and all is as before a run again."""
    points.watch_tasks()
    scenario.next_run()
    wrong = scenario.wrong()
    scenario.before()
    return wrong


def _in_a_fork(work: Callable[[], list[str] | None], may_die: bool = False) -> list[str]:
    answer = Path(os.environ[STATE]) / "answer.json"
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        try:
            answer.write_text(json.dumps(work()))
            status = 0
        except BaseException:  # noqa: BLE001 - told by the status, where a fork has nobody to raise to
            traceback.print_exc()
            status = 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    if may_die and os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL:
        return []
    if ended != 0:
        raise SystemExit(f"a run ended with {ended}, see above")
    return json.loads(answer.read_text()) or []


if __name__ == "__main__":
    main(sys.argv[1])
