"""The verdict of every rule at the newest closed minute, from what is stored; changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from api.core.incidents import exchange_rate, exhaustion, paging, readiness, telemetry
from api.core.incidents.decisions import Mode, RecentDeploy, RuleName
from api.core.incidents.exchange_rate import Judged
from api.core.incidents.exhaustion import Exhausted
from api.core.incidents.pace import newest_closed
from api.core.incidents.readiness import Outcome, Probe
from api.core.incidents.tally import EVERYBODY
from api.core.incidents.telemetry import Minutes
from api.core.incidents.verdicts import Verdict

REACH = timedelta(hours=4)
_PROBES_REACH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Situation:
    """What the watch is told from outside its own tables. `now` is by the watch's clock, which a rehearsal
    makes faster than the `wall`'s; alerts and evidence go by the wall's."""

    env: str
    now: datetime
    wall: datetime
    configured: Mode | None = None
    deploy: RecentDeploy | None = None
    exhausted: Sequence[Exhausted] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one rule in one scope. `bad_since`: when what tripped began; None without a trip."""

    rule: RuleName
    scope: str
    verdict: Verdict
    observed_until: datetime
    numbers: Mapping[str, Any]
    bad_since: datetime | None = None
    tripped_at: datetime | None = None
    page: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that a look found. `judged` by scope, the newest minute last."""

    findings: Sequence[Finding]
    minutes: Minutes
    judged: Mapping[str, Sequence[Judged]]
    probes: Sequence[Probe]
    bad_scopes: Sequence[str] = field(default=())


def see(session: Session, situation: Situation, probes_judged_until: datetime | None = None) -> Seen:
    """`probes_judged_until`: of the last look; probes since then are all judged."""
    until = newest_closed(situation.now)
    minutes = telemetry.series(session, until - REACH, until)
    judged = {scope: exchange_rate.judge(series) for scope, series in minutes.series.items()}
    probes = telemetry.probes(session, situation.now - _PROBES_REACH, situation.now)
    bad = {Verdict.PENDING, Verdict.TRIP}
    scopes = [scope for scope, found in judged.items() if scope != EVERYBODY and found[-1].verdict in bad]
    findings = [_rate(scope, minutes, found, until) for scope, found in sorted(judged.items())]
    findings.append(_readiness(probes, probes_judged_until, situation.now))
    findings.append(_exhaustion(situation.exhausted, situation.now))
    return Seen(findings, minutes, judged, probes, scopes)


def _rate(scope: str, minutes: Minutes, judged: Sequence[Judged], until: datetime) -> Finding:
    series, newest = minutes.series[scope], judged[-1]
    since = minutes.at(newest.since) if newest.since is not None else None
    tripped = newest.verdict is Verdict.TRIP
    bucket = series[-1]
    numbers = {
        "minute": until.isoformat(),
        "bucket": list(bucket) if bucket else None,
        "window": [newest.failed, newest.attempted],
        "present": newest.present,
        "state": newest.state.value,
        "since": since.isoformat() if since else None,
    }
    page = paging.page(series, judged)
    return Finding(
        RuleName.EXCHANGE_RATE, scope, newest.verdict, until, numbers, since, until if tripped else None, page
    )


def _readiness(probes: Sequence[Probe], judged_until: datetime | None, now: datetime) -> Finding:
    """Every probe since the last look is judged: while the database was down nobody could."""
    verdict, failing = readiness.judge(probes, now)
    known = [probe for probe in probes if probe.outcome is not Outcome.UNKNOWN]
    new = [
        run
        for probe, run in zip(known, readiness.runs(known), strict=True)
        if run.trips and (judged_until is None or probe.at > judged_until)
    ]
    tripped = new[0] if new else None
    numbers: dict[str, Any] = {
        "failures": tripped.failures if tripped else failing.failures,
        "first": _text(tripped.first if tripped else failing.first),
        "last": _text(tripped.last if tripped else failing.last),
        "detail": next((one.detail for one in reversed(probes) if one.outcome is Outcome.FAIL), ""),
    }
    until = known[-1].at if known else now - _PROBES_REACH
    if tripped:
        verdict = Verdict.TRIP
    since, at = (tripped.first, tripped.last) if tripped else (None, None)
    return Finding(RuleName.READINESS, EVERYBODY, verdict, until, numbers, since, at)


def _exhaustion(exhausted: Sequence[Exhausted], now: datetime) -> Finding:
    verdict, lately = exhaustion.judge(exhausted, now)
    numbers = {
        "deliveries": len(lately),
        "integrations": sorted({one.integration_id for one in lately}),
        "hosts": sorted({one.host for one in lately}),
    }
    tripped = verdict is Verdict.TRIP
    since = min((one.at for one in lately), default=now)
    return Finding(
        RuleName.EXHAUSTION,
        EVERYBODY,
        verdict,
        now,
        numbers,
        since if tripped else None,
        now if tripped else None,
    )


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
