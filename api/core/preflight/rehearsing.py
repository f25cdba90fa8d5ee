"""The rollback, rehearsed on staging: to the release before, verified, and forth again, and how long it took.

What has to be put right is written down before it is touched: `undo` brings staging forth after a kill.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import monotonic

from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.errors import FirstUserError, Refused
from api.core.ports import Deploy, HostingProvider, ReleaseKeeper
from api.core.preflight import rehearsals
from api.core.preflight.rehearsals import Rehearsal

SERVICE = "staging"

Verify = Callable[[str], str]
"""Uses the product at the service's address and says what it saw. Raises `FirstUserError`."""


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """`transaction` commits at the end of its block; `wait_s` is how long a deploy may take to serve."""

    transaction: Callable[[], AbstractContextManager[Session]]
    hosting: HostingProvider
    keeper: ReleaseKeeper
    verify: Verify
    clock: Clock
    wait_s: float

    def begin(self, flow_run_id: str | None) -> Rehearsal:
        """Open the row. Raises `Refused` when there is nothing to go back to."""
        now_serving, before = self._newest_two()
        with self.transaction() as session:
            rehearsal_id = rehearsals.begin(
                session,
                service=SERVICE,
                of_release=now_serving.release,
                to_release=before.release,
                home=now_serving.id,
                back_to=before.id,
                flow_run_id=flow_run_id,
                now=self.clock(),
            )
            return rehearsals.get(session, rehearsal_id)

    def go_back(self, one: Rehearsal) -> str:
        """The release before serves and works; says what was seen."""
        seconds, seen = self._deploy(one.back_to, one.to_release)
        with self.transaction() as session:
            rehearsals.went_back(session, one.id, seconds)
        return f"{one.to_release} served after {seconds:.1f} s; {seen}"

    def come_forth(self, one: Rehearsal) -> str:
        """And the release that is judged again."""
        seconds, seen = self._deploy(one.home, one.of_release)
        with self.transaction() as session:
            rehearsals.came_forth(session, one.id, seconds)
        return f"{one.of_release} served after {seconds:.1f} s; {seen}"

    def conclude(self, one: Rehearsal, problem: FirstUserError | None) -> Rehearsal:
        """Staging stands with its own release, whatever happened; verdict and evidence are written."""
        detail = str(problem) if problem else ""
        try:
            self._home(one)
        except FirstUserError as error:
            detail = f"{detail} Staging is not home: {error}".strip()
        with self.transaction() as session:
            rehearsals.finish(session, one.id, passed=not detail, detail=detail, now=self.clock())
            return rehearsals.get(session, one.id)

    def undo(self) -> list[str]:
        """Rehearsals whose process has ended: staging comes forth, the row is closed. One sentence each."""
        with self.transaction() as session:
            left = rehearsals.unfinished(session)
        interrupted = Refused("It was interrupted.", fix="Rehearse again.")
        return [f"{self.conclude(one, interrupted).id} was closed, staging is home" for one in left]

    def _deploy(self, deploy_id: str, release: str) -> tuple[float, str]:
        began = monotonic()
        made = self.keeper.roll_back(SERVICE, deploy_id)
        self.hosting.wait_live(SERVICE, made, self.wait_s)
        seconds = monotonic() - began
        return seconds, self.verify(release)

    def _home(self, one: Rehearsal) -> None:
        """Nothing is deployed where the right release serves: a process that was killed may have written down
        the way home, and not have gone it."""
        newest = self.keeper.deploys(SERVICE)[-1]
        home = newest.release == one.of_release
        if home and newest.id == self.hosting.state(SERVICE).deploy_id:
            return
        made = newest.id if home and newest.id == one.home else self.keeper.roll_back(SERVICE, one.home)
        self.hosting.wait_live(SERVICE, made, self.wait_s)

    def _newest_two(self) -> tuple[Deploy, Deploy]:
        known = self.keeper.deploys(SERVICE)
        before = next((one for one in reversed(known) if one.release != known[-1].release), None)
        if before is None:
            raise Refused(
                "Staging has never served another release: there is nothing to go back to.",
                fix="Deploy the release that is to be launched to staging, then rehearse again: "
                "`firstuser release deploy staging NAME`.",
            )
        return known[-1], before
