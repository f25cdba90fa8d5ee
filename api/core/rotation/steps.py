"""The state machine of every rotation, as pure functions over stored facts and `now`.

    mint      version n+1 exists and is nobody's first choice yet
    store     every store and platform that carries the secret holds it as pending
    reload    every consumer runs with it: it is accepted, then first choice
    prove     each consumer was seen to work with it
    overlap   old and new are valid, until `overlap_until`
    retire    the old one is gone
    refuse    the old one was seen to be refused

A rotation's `step` is the next one to take. Until `refuse` it can be rolled back: the old one still works.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

SHOWN_AGAIN = timedelta(minutes=10)


class Step(StrEnum):
    MINT = "mint"
    STORE = "store"
    RELOAD = "reload"
    PROVE = "prove"
    OVERLAP = "overlap"
    RETIRE = "retire"
    REFUSE = "refuse"


ORDER: Sequence[Step] = tuple(Step)


class State(StrEnum):
    RUNNING = "running"
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"


class Mode(StrEnum):
    """`asked`: somebody pressed the button. `incident`: the old one ends at once."""

    SCHEDULED = "scheduled"
    ASKED = "asked"
    INCIDENT = "incident"


class Wait(StrEnum):
    """Why a rotation rests; the value is what people read."""

    GRACE = "the old one is still valid"
    KEPT = "the old one opens backups that may be restored, and is used for nothing else"
    PICK_UP = "nobody has picked the new one up yet"


@dataclass(frozen=True, slots=True)
class Standing:
    """What decisions are made of. `awaits_pick_up`: its new value is for a person who has not seen it;
    `told`: they know that there is one; `kept_until`: until then backups need the old one."""

    state: State
    step: Step
    mode: Mode
    awaits_pick_up: bool
    told: bool
    overlap_until: datetime | None
    kept_until: datetime | None = None


def after(step: Step) -> Step | None:
    """None after the last one: the rotation is done."""
    place = ORDER.index(step) + 1
    return ORDER[place] if place < len(ORDER) else None


def waits(standing: Standing, now: datetime) -> Wait | None:
    """None while there is something to do. Nobody is cut off by a value that was never handed out, but in an
    incident the old one ends all the same."""
    unseen = standing.awaits_pick_up and standing.told
    if standing.step is Step.OVERLAP and unseen and standing.mode is not Mode.INCIDENT:
        return Wait.PICK_UP
    if standing.step is Step.RETIRE and standing.overlap_until and now < standing.overlap_until:
        return Wait.GRACE
    if standing.step is Step.RETIRE and standing.kept_until and now < standing.kept_until:
        return Wait.KEPT
    return None


def may_roll_back(standing: Standing, now: datetime) -> bool:
    """Until the old one has ended, be it by the machine or by the clock."""
    if standing.state is not State.RUNNING or standing.step is Step.REFUSE:
        return False
    return standing.overlap_until is None or now < standing.overlap_until


def may_be_shown(shown_at: datetime | None, to_the_same: bool, now: datetime) -> bool:
    """Once; and again to whoever may have lost the answer."""
    return shown_at is None or (to_the_same and now - shown_at <= SHOWN_AGAIN)


def overlap_until(mode: Mode, grace: timedelta, now: datetime) -> datetime:
    return now if mode is Mode.INCIDENT else now + grace
