"""One run of the incident watch, without Prefect: bring the probes, judge, act, look for the effects."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from api.core.clock import system_clock
from api.core.incidents import telemetry, watching
from api.core.incidents.acting import Acting
from api.core.incidents.decisions import PRODUCTION, Mode, RecentDeploy
from api.core.incidents.exhaustion import Exhausted
from api.core.incidents.pace import Pace
from api.core.incidents.readiness import Probe
from api.core.incidents.seeing import Situation
from api.core.ports import ReleaseKeeper
from api.core.webhooks import stops
from api.db.engine import Session
from api.providers import probe_spool
from api.providers.responses import responses
from flows import wiring

_PROBES_REACH = timedelta(hours=2)
_EXHAUSTED_REACH = timedelta(hours=1)
PRUNED_AT_MINUTE = 17


@dataclass(frozen=True, slots=True)
class Watched:
    """`now` by the watch's clock."""

    now: datetime
    opened: list[str]
    acted: int
    seen: int


@cache
def pace() -> Pace:
    configured = wiring.settings().incidents
    return Pace(configured.incident_clock_origin, configured.incident_clock_rate)


@cache
def acting() -> Acting:
    made = responses(wiring.settings(), wiring.transaction, wiring.hosting(), wiring.vault(), system_clock)
    return Acting(wiring.transaction, made, system_clock, pace(), wiring.settings().service.env)


def watch() -> Watched:
    """Any number of these at once do no more than one."""
    bring_probes()
    with wiring.transaction() as session:
        situation = situated(session)
        opened = watching.look(session, situation)
        if situation.now.minute == PRUNED_AT_MINUTE:
            telemetry.prune(session, situation.now)
    acted = acting().act()
    return Watched(situation.now, opened, acted, acting().observe())


def bring_probes() -> None:
    """What the watcher left in its file since the newest that is known."""
    configured = wiring.settings()
    file = configured.incidents.probes_file or configured.stack.state_dir / probe_spool.NAME
    found = probe_spool.read(file, system_clock() - _PROBES_REACH)
    paced = [Probe(pace().at(one.at), one.outcome, one.detail) for one in found]
    if paced:
        with wiring.transaction() as session:
            telemetry.add_probes(session, paced)


def situated(session: Session, now: datetime | None = None) -> Situation:
    """As it is at this moment, or was at `now` (by the watch's clock), without what came later."""
    wall, clock = telemetry.database_now(session), pace()
    at = now or clock.at(wall)
    given_up = stops.given_up(session, wall - _EXHAUSTED_REACH if now is None else wall - timedelta(days=30))
    configured = wiring.settings()
    return Situation(
        env=configured.service.env,
        now=at,
        wall=wall,
        configured=Mode(configured.incidents.incident_mode) if configured.incidents.incident_mode else None,
        deploy=newest_deploy(at),
        exhausted=[Exhausted(clock.at(one.at), one.integration_id, one.host) for one in given_up],
    )


def newest_deploy(at: datetime) -> RecentDeploy | None:
    """Of production, as its hosting provider knows it, by the watch's clock."""
    hosting = wiring.hosting()
    known = hosting.deploys(PRODUCTION) if isinstance(hosting, ReleaseKeeper) else ()
    paced = [RecentDeploy(one.id, one.release, pace().at(one.at), one.irreversible) for one in known]
    return max((one for one in paced if one.at <= at), key=lambda one: one.at, default=None)
