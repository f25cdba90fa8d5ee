"""Runs checks: all independent ones at once, each with its timeout and retries, dependents skipped by name.

Knows neither Prefect nor what a check looks at. `around` lets a door put something around each check (a task
of its own); it is called in the check's thread, which carries the caller's context.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from queue import Empty, Queue, SimpleQueue
from threading import Thread
from time import monotonic, sleep

from api.core.clock import Clock
from api.core.errors import FirstUserError
from api.core.preflight.records import FIRST_LOOK, Check, Finding, Result, State

Look = Callable[[], Finding]
Work = Callable[[], Result]
Around = Callable[[Check, Work], Result]
OnChange = Callable[[Check, Result | None], None]
"""Told when a check begins (None) and how it came out."""


def plainly(check: Check, work: Work) -> Result:
    return work()


@dataclass(frozen=True, slots=True)
class Runner:
    looks: Mapping[str, Look]
    clock: Clock
    on_change: OnChange
    around: Around = plainly
    wait: Callable[[float], None] = sleep

    def run(self, checks: Sequence[Check]) -> list[Result]:
        """The results in the order of `checks`. A check that crashes is an `error` and harms no other."""
        waiting = {check.name: check for check in checks}
        done: dict[str, Result] = {}
        ended: Queue[Result] = Queue()
        running = 0
        while len(done) < len(checks):
            for check in [check for check in waiting.values() if self._may_begin(check, done, waiting)]:
                del waiting[check.name]
                blocker = _blocker(check, done)
                if blocker:
                    ended.put(self._result(check, _skipped(blocker), FIRST_LOOK, 0.0, blocker))
                else:
                    self._begin(check, ended)
                running += 1
            if not running:  # nothing runs and nothing may begin: they wait for one another
                for check in waiting.values():
                    ended.put(self._result(check, _error("it waits for itself"), FIRST_LOOK, 0.0))
                running, waiting = len(waiting), {}
            result = ended.get()
            running -= 1
            done[result.name] = result
            self.on_change(next(check for check in checks if check.name == result.name), result)
        return [done[check.name] for check in checks]

    def _may_begin(self, check: Check, done: Mapping[str, Result], waiting: Mapping[str, Check]) -> bool:
        """Once what it builds on is over, or the first of it does not hold."""
        return bool(_blocker(check, done)) or all(name in done for name in check.after)

    def _begin(self, check: Check, ended: "Queue[Result]") -> None:
        self.on_change(check, None)
        context = copy_context()

        def conduct() -> None:
            try:
                ended.put(context.run(self.around, check, lambda: self.attempt(check)))
            except BaseException as crash:  # noqa: BLE001  whatever it is, the others' results must not be lost
                ended.put(self._result(check, _crashed(crash), FIRST_LOOK, 0.0))

        Thread(target=conduct, name=f"preflight {check.name}", daemon=True).start()

    def attempt(self, check: Check) -> Result:
        """Look until it passes or the attempts are used up. A pass that took more than one is a warning."""
        began, tries = monotonic(), 0
        while True:
            tries += 1
            finding = self._look(check)
            if finding.state in {State.PASS, State.WARN} or tries >= check.attempts:
                break
            self.wait(check.wait_s)
        if tries > FIRST_LOOK and finding.state is State.PASS:
            said = f"{finding.observed} (at attempt {tries}: it is not reliable)"
            finding = replace(finding, state=State.WARN, observed=said)
        return self._result(check, finding, tries, monotonic() - began)

    def _look(self, check: Check) -> Finding:
        """One look, given up after the timeout: its thread is left to end by itself."""
        look = self.looks.get(check.name)
        if look is None:
            return _error("nothing looks at it")
        answer: SimpleQueue[Finding] = SimpleQueue()
        context = copy_context()

        def act() -> None:
            try:
                answer.put(context.run(look))
            except FirstUserError as refusal:
                answer.put(Finding(State.ERROR, refusal.message, fix=refusal.fix))
            except BaseException as crash:  # noqa: BLE001  a crashed check is a result
                answer.put(_crashed(crash))

        Thread(target=act, name=f"look {check.name}", daemon=True).start()
        try:
            return answer.get(timeout=check.timeout_s)
        except Empty:
            return _error(f"no answer within {check.timeout_s:g} s")

    def _result(
        self, check: Check, finding: Finding, tries: int, seconds: float, blocked_by: str = ""
    ) -> Result:
        now = self.clock()
        fresh_until = now + check.fresh_for
        good = finding.state is State.PASS
        return Result(
            name=check.name,
            group=check.group,
            title=check.title,
            state=finding.state,
            expected=finding.expected or check.expected,
            observed=finding.observed,
            observed_at=now,
            expires_at=min(fresh_until, finding.expires_at or fresh_until),
            attempts=tries,
            seconds=round(seconds, 3),
            owner=check.owner.value,
            fix="" if good else (finding.fix or check.fix),
            runbook=check.runbook,
            blocked_by=blocked_by,
            evidence=finding.evidence,
            parts=finding.parts,
        )


def _blocker(check: Check, done: Mapping[str, Result]) -> str:
    """The check at the root of what keeps this one from being looked at."""
    for name in check.after:
        parent = done.get(name)
        if parent is not None and not parent.holds:
            return parent.blocked_by or name
    return ""


def _skipped(blocker: str) -> Finding:
    return Finding(State.SKIP, f"blocked by {blocker}", fix=f"Mend {blocker} first.")


def _error(what: str) -> Finding:
    return Finding(State.ERROR, what)


def _crashed(crash: BaseException) -> Finding:
    """By its kind: the text of a foreign error may hold anything."""
    return Finding(State.ERROR, f"the check crashed ({type(crash).__name__})")
