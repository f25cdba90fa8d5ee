"""Drives rotations: read where one stands, act outside of any transaction, settle, go on.

The founder's button, the flow and the command line are three callers of `Machine.run`. Killed at any line
and run again, it finishes or can be rolled back: what is done is read again from the database and from the
stores before each step, and the last version that works is never taken away.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.errors import Conflict, FirstUserError, NotFound
from api.core.rotation import beginning, ending, service
from api.core.rotation.kinds import Kind, Proof
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode, State, Step


@dataclass(frozen=True, slots=True)
class Machine:
    """`exclusive(name)` yields False when another process works on the secret, and goes when its process
    does. `kinds` by their `kind`; a secret's name starts with it, or is a platform variable's."""

    transaction: Callable[[], AbstractContextManager[Session]]
    exclusive: Callable[[str], AbstractContextManager[bool]]
    kinds: Mapping[str, Kind]
    clock: Clock

    def begin(
        self,
        session: Session,
        name: str,
        *,
        mode: Mode,
        by: str,
        reason: str = "",
        grace: timedelta | None = None,
        forced: bool = False,
        flow_run_id: str | None = None,
    ) -> RotationView:
        """In the caller's transaction; `run` goes on once it has committed. Raises as `beginning.begin`."""
        return beginning.begin(
            session,
            self.kind_of(session, name),
            name,
            mode=mode,
            by=by,
            now=self.clock(),
            reason=reason,
            grace=grace,
            forced=forced,
            flow_run_id=flow_run_id,
        )

    def run(self, rotation_id: str) -> RotationView:
        """Step by step until it rests, has ended, or something is not proven.

        Raises `ProviderError` and `Conflict` (another process works on it); run it again."""
        while True:
            before = self.get(rotation_id)
            found = self.advance(before)
            if found.problem or found.state is not State.RUNNING or _rests(before, found):
                return found

    def advance(self, found: RotationView) -> RotationView:
        """One step; none while it rests."""
        if found.state is not State.RUNNING or found.waits(self.clock()):
            return found
        with self.exclusive(found.name) as held:
            if not held:
                raise Conflict(
                    f"Another process is rotating {found.name}.", fix="Wait a moment and look at it again."
                )
            found = self.get(found.id)
            if found.state is not State.RUNNING or found.waits(self.clock()):
                return found
            kind = self.kinds[found.kind]
            proofs = self._act(kind, found)
            with self.transaction() as session:
                return service.settle(session, kind, found, proofs, self.clock())

    def finish(self, name: str | None = None) -> list[RotationView]:
        """Run everything that is under way; what fails is left with its problem for the next time."""
        with self.transaction() as session:
            service.forget_shown(session, self.clock())
            waiting = service.running(session, name)
        ended: list[RotationView] = []
        for one in waiting:
            try:
                ended.append(self.run(one.id))
            except FirstUserError:
                ended.append(self.get(one.id))
        return ended

    def roll_back(self, rotation_id: str, by: str) -> RotationView:
        """The old one is first choice again, and the new one gone. Raises `Conflict` once the old one has
        ended, `ProviderError`."""
        with self.transaction() as session:
            found = ending.check_roll_back(session, rotation_id, self.clock())
        kind = self.kinds[found.kind]
        with self.exclusive(found.name) as held:
            if not held:
                raise Conflict(
                    f"Another process is rotating {found.name}.", fix="Wait a moment, then try again."
                )
            with self.transaction() as session:
                found = ending.check_roll_back(session, rotation_id, self.clock())
            proofs = [] if found.state is State.ROLLED_BACK else self._guarded(found, kind.roll_back)
            with self.transaction() as session:
                return ending.roll_back(session, kind, rotation_id, by, proofs, self.clock())

    def end_overlap(self, rotation_id: str, by: str) -> RotationView:
        """The old one ends now; then the rest. Raises `Conflict`."""
        with self.transaction() as session:
            found = service.get(session, rotation_id)
            ending.end_overlap(session, self.kinds[found.kind], rotation_id, by, self.clock())
        return self.run(rotation_id)

    def get(self, rotation_id: str) -> RotationView:
        with self.transaction() as session:
            return service.get(session, rotation_id)

    def kind_of(self, session: Session, name: str) -> Kind:
        """Raises `NotFound`."""
        prefix = name.partition(":")[0]
        if ":" in name and prefix in self.kinds:
            return self.kinds[prefix]
        for kind in self.kinds.values():
            if any(held.name == name for held in kind.secrets(session, self.clock())):
                return kind
        raise NotFound(f"There is no secret {name!r}.", fix="`firstuser rotate plan` lists them all.")

    def _act(self, kind: Kind, found: RotationView) -> Sequence[Proof]:
        if found.step is Step.OVERLAP:
            return [] if found.told_at else self._guarded(found, kind.tell)
        acts = {
            Step.STORE: kind.store,
            Step.RELOAD: kind.reload,
            Step.PROVE: kind.prove,
            Step.RETIRE: kind.retire,
            Step.REFUSE: kind.refuse,
        }
        return self._guarded(found, acts[found.step])

    def _guarded(
        self, found: RotationView, act: Callable[[RotationView], Sequence[Proof]]
    ) -> Sequence[Proof]:
        try:
            return act(found)
        except FirstUserError as error:
            with self.transaction() as session:
                service.trouble(session, found.id, str(error))
            raise


def _rests(before: RotationView, found: RotationView) -> bool:
    return found.step is before.step and found.told_at == before.told_at
