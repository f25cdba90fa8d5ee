"""What nobody raises by itself: loops that fell silent, bursts of 5xx, alerts that are over or due again."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.alerts import queries, rules, service
from api.core.alerts.catalogue import BURST, RULES, SILENT_LOOP
from api.core.alerts.messages import duration
from api.core.alerts.rules import Kind
from api.core.ids import new_id

CHECKER = "alert-checks"
CHECKER_SILENCE = timedelta(minutes=2)


def check(session: Session, env: str, now: datetime) -> bool:
    """One look at everything; False when another process looks at this moment."""
    if not queries.one_checker(session):
        return False
    _heartbeats(session, env, now)
    for alert in queries.open_alerts(session, env):
        if rules.over(RULES[alert.rule], alert.last_seen_at, now):
            service.resolve(session, alert.rule, alert.scope, alert.app_id, env=env, now=now)
        elif rules.repeat_due(alert.opened_at, alert.notified_at, now):
            queries.enqueue(session, new_id("alm"), alert.id, Kind.REPEAT.value, now)
    return True


def _heartbeats(session: Session, env: str, now: datetime) -> None:
    beats = queries.heartbeats(session)
    own = beats.get(CHECKER)
    since = rules.watching_since(own.since if own else None, own.beat_at if own else None, now)
    queries.beat(session, CHECKER, CHECKER_SILENCE.total_seconds(), now, since)
    silent = {
        name
        for name, beat in beats.items()
        if name != CHECKER and rules.missed(beat.beat_at, timedelta(seconds=beat.silence_seconds), since, now)
    }
    for name in sorted(silent):
        message = f"{name} was last heard {duration(now - beats[name].beat_at)} ago."
        service.raise_(session, SILENT_LOOP.name, name, env=env, message=message, now=now)
    for alert in queries.open_alerts(session, env, SILENT_LOOP.name):
        if alert.scope not in silent:
            service.resolve(session, alert.rule, alert.scope, alert.app_id, env=env, now=now)


def count_answers(
    session: Session, env: str, minute: datetime, answers: int, failures: int, now: datetime
) -> bool:
    """Add one process's answers of a minute; True when the minute is a burst of 5xx."""
    total, failed = queries.count_answers(session, minute, answers, failures)
    if not rules.burst(failed, total):
        return False
    message = f"{failed} of {total} answers in the minute from {minute:%H:%M} UTC were 5xx."
    service.raise_(session, BURST.name, env=env, message=message, now=now)
    return True
