"""4: alerts were received by the people who answer for them, and somebody outside would notice silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.core.preflight.catalogue import RECEIPT_FRESH
from api.core.preflight.judging.freshness import from_the_future
from api.core.preflight.records import Finding, Role, State
from api.core.preflight.roles import Owner, same_name

DEAD_MAN_SILENCE = timedelta(minutes=3)
ASKED = (Role.INCIDENT, Role.ROLLBACK)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A test alert that was sent and acknowledged by its single-use code."""

    alert_id: str
    by: str
    at: datetime


def receipt(owners: Sequence[Owner], acknowledged: Sequence[Acknowledged], now: datetime) -> Finding:
    wrong: list[str] = []
    said: list[str] = []
    moments: list[datetime] = []
    for role in ASKED:
        owner = next((one for one in owners if one.role is role), None)
        if owner is None:
            wrong.append(f"there is no {role.value} owner to receive one")
            continue
        theirs = [one for one in acknowledged if same_name(one.by, owner.name)]
        newest = max(theirs, key=lambda one: one.at, default=None)
        if newest is None or now - newest.at > RECEIPT_FRESH:
            when = f"last at {newest.at:%Y-%m-%d %H:%M} UTC" if newest else "never"
            wrong.append(f"{owner.name} ({role.value} owner) acknowledged a test alert {when}")
        elif odd := from_the_future(newest.at, now):
            wrong.append(f"{owner.name} ({role.value} owner) acknowledged a test alert, but {odd}")
        else:
            moments.append(newest.at)
            said.append(f"{owner.name} ({role.value}) {newest.alert_id} at {newest.at:%H:%M} UTC")
    if wrong:
        return Finding(State.FAIL, "; ".join(wrong))
    return Finding(State.PASS, "acknowledged by " + ", ".join(said), expires_at=min(moments) + RECEIPT_FRESH)


def dead_man(configured: bool, heard_at: datetime | None, now: datetime) -> Finding:
    if not configured:
        return Finding(
            State.FAIL, "no watcher reports a FIRSTUSER_DEAD_MAN_URL: nobody outside would notice silence"
        )
    if heard_at is None or now - heard_at > DEAD_MAN_SILENCE:
        when = f"last at {heard_at:%Y-%m-%d %H:%M:%S} UTC" if heard_at else "never"
        return Finding(State.FAIL, f"the outside service took the heartbeat {when}")
    if odd := from_the_future(heard_at, now):
        return Finding(State.FAIL, odd)
    return Finding(State.PASS, f"heard {(now - heard_at).total_seconds():.0f} s ago")
