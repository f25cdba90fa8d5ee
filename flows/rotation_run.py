"""What a run of `secret-rotation` plans, does and can say for itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.core.alerts import service as alerts
from api.core.alerts.catalogue import SECRET_OVERDUE
from api.core.clock import system_clock
from api.core.errors import FirstUserError, NotFound
from api.core.rotation.cadence import POLICIES, Dated
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode, State
from flows import wiring

BY = "flow"


@dataclass(frozen=True, slots=True)
class Planned:
    """`why` it is rotated; `blast`: who used it in the last 24 hours."""

    row: Dated
    why: str

    @property
    def blast(self) -> str:
        return ", ".join(self.row.held.users) or "nobody in the last 24 hours"


@dataclass(frozen=True, slots=True)
class Plan:
    mode: str
    now: datetime
    planned: Sequence[Planned]
    others: Sequence[Dated]

    @property
    def names(self) -> list[str]:
        return [one.row.held.name for one in self.planned]


@dataclass(frozen=True, slots=True)
class Outcome:
    now: datetime
    rotations: Sequence[RotationView]
    refused: int

    @property
    def stuck(self) -> Sequence[RotationView]:
        return [one for one in self.rotations if one.problem]

    @property
    def headline(self) -> str:
        done = sum(one.state is State.DONE for one in self.rotations)
        waiting = sum(one.state is State.RUNNING and not one.problem for one in self.rotations)
        said = [f"{done} proven and retired", f"{waiting} under way"]
        said += [f"{one.name} not proven: {one.problem}" for one in self.stuck]
        said += [f"{self.refused} refused, see the log"] if self.refused else []
        return "; ".join(said)


def plan(mode: str, names: Sequence[str]) -> Plan:
    """Raises `NotFound` for a name that is no secret's."""
    now = system_clock()
    rows = {row.held.name: row for row in wiring.rotations().standing()}
    unknown = sorted(set(names) - rows.keys())
    if unknown:
        raise NotFound(f"There is no secret {unknown[0]!r}.", fix="`firstuser rotate plan` lists them all.")
    asked = [] if mode == "finish" else list(dict.fromkeys(names))
    if mode == "scheduled" and not names:
        asked = [row.held.name for row in rows.values() if row.due(now)]
    planned = [Planned(rows[name], _why(rows[name], mode, now)) for name in asked]
    return Plan(mode, now, planned, [row for row in rows.values() if row.held.name not in asked])


def rotate(name: str, mode: str, reason: str, flow_run_id: str | None) -> tuple[str, str]:
    """(the rotation's id, what became of it); "" for one that was refused."""
    how = Mode.INCIDENT if mode == "incident" else Mode.SCHEDULED
    try:
        made = wiring.rotations().rotate(
            name, mode=how, by=BY, shown=False, reason=reason, flow_run_id=flow_run_id
        )
    except FirstUserError as error:
        return "", f"{name} was not rotated: {error}"
    found = made.rotation
    rests = found.problem or found.phase(system_clock())
    return found.id, f"{name}: version {found.from_version} → {found.to_version}, {rests}"


def finish() -> list[str]:
    """Go on with everything that is under way, and tell of what is overdue. The rotations' ids."""
    rotations = wiring.rotations()
    done = [one.id for one in rotations.machine.finish()]
    tell_of_overdue(rotations.standing(), system_clock())
    return done


def tell_of_overdue(rows: Sequence[Dated], now: datetime) -> None:
    """One alert for all secrets past their cadence; over as soon as the last was rotated."""
    env = wiring.settings().service.env
    late = sorted((row for row in rows if row.due(now)), key=lambda row: row.held.name)
    with wiring.transaction() as session:
        if late:
            message = "; ".join(_overdue(row) for row in late)
            alerts.raise_(session, SECRET_OVERDUE.name, env=env, message=message, now=now)
        else:
            alerts.resolve(session, SECRET_OVERDUE.name, env=env, now=now)


def outcome(begun: Sequence[str], finished: Sequence[str]) -> Outcome:
    known = dict.fromkeys([one for one in begun if one] + list(finished))
    machine = wiring.rotations().machine
    return Outcome(system_clock(), [machine.get(one) for one in known], sum(not one for one in begun))


def _overdue(row: Dated) -> str:
    cadence = POLICIES[row.held.kind].cadence.days
    age = f"{row.age.days} days old" if row.age else "older than anybody remembers"
    return f"{row.held.name} is {age}, to be rotated every {cadence} days"


def _why(row: Dated, mode: str, now: datetime) -> str:
    if mode == "incident":
        return "incident: the old one ends at once"
    cadence = POLICIES[row.held.kind].cadence.days
    return f"due: every {cadence} days" if row.due(now) else "asked for by name"
