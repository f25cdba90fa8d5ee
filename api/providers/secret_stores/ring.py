"""A secret's stages as plain variables (`api.core.rotation.stores`), and the writes from state to state.

Pure functions. Some platforms set one variable per call, so a kill may fall between any two: writes come in
an order in which every prefix of them reads as the state before, or as the state after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from api.core.errors import Conflict, NotFound, Refused
from api.core.rotation.stores import Stage

SUFFIXES: Mapping[Stage, str] = {Stage.CURRENT: "", Stage.PREVIOUS: "_PREVIOUS", Stage.PENDING: "_PENDING"}
VERSIONS = "_VERSIONS"
_BY_HAND: Mapping[Stage, int] = {Stage.CURRENT: 1, Stage.PREVIOUS: 0}


@dataclass(frozen=True, slots=True)
class Held:
    version: int
    since: datetime | None
    value: str

    def __repr__(self) -> str:
        return f"Held({self.version})"


State = Mapping[Stage, Held]


def variables(name: str) -> list[str]:
    """Every variable that the ring of `name` may occupy."""
    return [name + suffix for suffix in (*SUFFIXES.values(), VERSIONS)]


def parse(found: Mapping[str, str], name: str) -> dict[Stage, Held]:
    """The state that the variables say. A pending value without a mark was never finished: it is none.
    A current value that is the pending one has been promoted, whatever the marks still say."""
    marks = _marks(found.get(name + VERSIONS, ""))
    state: dict[Stage, Held] = {}
    for stage, suffix in SUFFIXES.items():
        value = found.get(name + suffix)
        mark = marks.get(stage) or ((_BY_HAND[stage], None) if stage in _BY_HAND else None)
        if value and mark:
            state[stage] = Held(*mark, value)
    pending, current = state.get(Stage.PENDING), state.get(Stage.CURRENT)
    if pending and current and pending.value == current.value:
        del state[Stage.PENDING]
        state[Stage.CURRENT] = pending
        if previous := state.get(Stage.PREVIOUS):
            state[Stage.PREVIOUS] = replace(previous, version=current.version, since=pending.since)
    return state


def numbers(ours: Sequence[int | None], current: int) -> list[int]:
    """Of versions by age, of which only ours carry their number: those put by hand count on from the nearest
    of ours, newer ones first, so that a version keeps its number from stage to stage. Where none is ours the
    one at `current` is 1."""
    known = [at for at, number in enumerate(ours) if number is not None]
    if not known:
        return [at - current + 1 for at in range(len(ours))]
    found: list[int] = []
    for at, number in enumerate(ours):
        nearest = min(known, key=lambda one: (one < at, abs(one - at)))
        found.append(number if number is not None else (ours[nearest] or 0) - (nearest - at))
    return found


def writes(found: Mapping[str, str], state: State, name: str) -> dict[str, str | None]:
    """What to set (None: delete) to get from `found` to `state`, in this order."""
    wanted = {name + suffix: held.value for stage, suffix in SUFFIXES.items() if (held := state.get(stage))}
    marks = " ".join(_mark(stage, held) for stage, held in state.items())
    previous, pending = name + SUFFIXES[Stage.PREVIOUS], name + SUFFIXES[Stage.PENDING]
    order: dict[str, str | None] = {}
    for variable in (previous, name, pending):
        if variable in wanted:
            order[variable] = wanted[variable]
    if previous not in wanted:
        order[previous] = None
    order[name + VERSIONS] = marks or None
    if pending not in wanted:
        order[pending] = None
    return {variable: value for variable, value in order.items() if found.get(variable) != value}


def with_pending(state: State, name: str, version: int, value: str, now: datetime | None) -> State:
    """Raises `Conflict`, see `SecretStore.put_pending`, and `Refused`."""
    if not value.isprintable() or not value.strip():
        raise Refused(
            f"The value of {name} is empty or more than one line.", fix="Write it in base64, on one line."
        )
    for stage, held in state.items():
        if held.version == version and held.value == value:
            return state
        if held.version == version:
            raise Conflict(
                f"Version {version} of {name} is {stage} with another value.", fix="Mint the next version."
            )
        if held.value == value:
            fix = "Make up a new value."
            raise Conflict(f"The value of {name} is that of version {held.version} already.", fix=fix)
    if other := state.get(Stage.PENDING):
        fix = f"Finish its rotation, or retire version {other.version}."
        raise Conflict(f"Version {other.version} of {name} is pending already.", fix=fix)
    return {**state, Stage.PENDING: Held(version, now, value)}


def steps_to_promote(state: State, name: str, version: int, now: datetime | None) -> list[State]:
    """The states to pass through, one write each. The way back goes by pending: a swap has no order in which
    one value is safe. Raises `NotFound`."""
    current, previous = state.get(Stage.CURRENT), state.get(Stage.PREVIOUS)
    if current and current.version == version:
        return [state]
    steps: list[State] = []
    pending = state.get(Stage.PENDING)
    if (not pending or pending.version != version) and previous and previous.version == version:
        pending = replace(previous, since=now)
        steps.append({**state, Stage.PENDING: pending})
    if pending is None or pending.version != version:
        fix = "Put it as pending first."
        raise NotFound(f"There is no version {version} of {name} to promote.", fix=fix)
    left = {Stage.PREVIOUS: replace(current, since=now)} if current else {}
    return [*steps, {Stage.CURRENT: replace(pending, since=now), **left}]


def without(state: State, name: str, version: int) -> State:
    """Raises `Conflict`, see `SecretStore.retire`."""
    current = state.get(Stage.CURRENT)
    if current and current.version == version:
        fix = "Promote another version first."
        raise Conflict(f"Version {version} of {name} is the current one.", fix=fix)
    return {stage: held for stage, held in state.items() if held.version != version}


def _mark(stage: Stage, held: Held) -> str:
    since = f"@{held.since.astimezone(UTC).isoformat(timespec='seconds')}" if held.since else ""
    return f"{stage}={held.version}{since}"


def _marks(text: str) -> dict[Stage, tuple[int, datetime | None]]:
    """What cannot be read counts as not there: then the values count as put by hand."""
    marks: dict[Stage, tuple[int, datetime | None]] = {}
    for word in text.split():
        stage, _, rest = word.partition("=")
        version, _, since = rest.partition("@")
        try:
            marks[Stage(stage)] = int(version), datetime.fromisoformat(since) if since else None
        except ValueError:
            continue
    return marks
