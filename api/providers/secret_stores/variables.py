"""A `SecretStore` over anything that keeps variables: an environment file, or a platform's own."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from api.core.clock import Clock, system_clock
from api.core.errors import NotFound
from api.core.rotation.stores import Stage, StoredVersion
from api.providers.secret_stores import ring
from api.providers.secret_stores.ring import State


class Variables(Protocol):
    """The variables of one consumer. Every method may raise `ProviderError`."""

    name: str

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        """Those of `names` that are set."""
        ...

    def set(self, changes: Mapping[str, str | None]) -> None:
        """Apply the changes (None: delete) in their order, or all at once. The consumer is not restarted."""
        ...


class VariableStore:
    def __init__(self, variables: Variables, clock: Clock = system_clock) -> None:
        self.name = variables.name
        self._variables = variables
        self._clock = clock

    def describe(self, name: str) -> Sequence[StoredVersion]:
        state = ring.parse(self._found(name), name)
        return [StoredVersion(held.version, stage, held.since) for stage, held in state.items()]

    def read(self, name: str, stage: Stage) -> str:
        held = ring.parse(self._found(name), name).get(stage)
        if held is None:
            raise NotFound(f"{self.name} has no {stage} version of {name}.")
        return held.value

    def put_pending(self, name: str, version: int, value: str) -> None:
        found = self._found(name)
        state = ring.parse(found, name)
        self._write(found, ring.with_pending(state, name, version, value, self._clock()), name)

    def promote(self, name: str, version: int) -> None:
        found = self._found(name)
        for state in ring.steps_to_promote(ring.parse(found, name), name, version, self._clock()):
            found = self._write(found, state, name)

    def retire(self, name: str, version: int) -> None:
        found = self._found(name)
        self._write(found, ring.without(ring.parse(found, name), name, version), name)

    def _found(self, name: str) -> Mapping[str, str]:
        return self._variables.get(ring.variables(name))

    def _write(self, found: Mapping[str, str], state: State, name: str) -> Mapping[str, str]:
        changes = ring.writes(found, state, name)
        if changes:
            self._variables.set(changes)
        return {key: value for key, value in {**found, **changes}.items() if value is not None}


class HeldStore(VariableStore):
    """Of a service that has some of production's secrets: those that it has not stay away from it."""

    def __init__(self, variables: Variables, name: str, clock: Clock = system_clock) -> None:
        super().__init__(variables, clock)
        self.name = name

    def put_pending(self, name: str, version: int, value: str) -> None:
        if self.holds(name):
            super().put_pending(name, version, value)

    def promote(self, name: str, version: int) -> None:
        if self.holds(name):
            super().promote(name, version)

    def holds(self, name: str) -> bool:
        return bool(self.describe(name))
