"""Raising and resolving conditions, in the transaction of whoever sees them; silences and acknowledgements.

`raise_` and `resolve` are what the rest of the product calls. Whoever raises several in one transaction does
so in the order of their identities: an open alert's row stays locked until the commit.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core import audit
from api.core.alerts import queries, rules
from api.core.alerts.catalogue import RULES, TEST
from api.core.alerts.reports import NAME as WATCHER
from api.core.alerts.reports import SILENCE as WATCHER_SILENCE
from api.core.alerts.reports import Outage, Reply, Report, Silenced
from api.core.alerts.rules import Kind, Raised, identity
from api.core.errors import Expired, NotFound, Refused
from api.core.evidence import service as evidence
from api.core.ids import new_id

LONGEST_SILENCE = timedelta(days=7)
KEPT = timedelta(days=90)
STREAM = "alerts"


def raise_(
    session: Session,
    rule: str,
    scope: str = "",
    app_id: str = "",
    *,
    env: str,
    message: str,
    now: datetime,
    metadata: Mapping[str, str] = {},
    severity: str = "",
) -> str | None:
    """The condition holds, or happened. Returns the open alert's id; None when a parent's outage covers it.

    `metadata` (integration app id, delivery id, attempt, status) does not distinguish alerts: `rule`, `scope`
    and `app_id` do. `severity` is the rule's own unless given."""
    known = RULES[rule]
    key = identity(env, rule, scope, app_id)
    bad = severity or known.severity.value
    found = queries.open_alert(session, key)
    if found is None:
        parent = queries.any_open(session, env, known.parents)
        if rules.raised(None, bad, parent_open=parent) is Raised.SUPPRESSED:
            return None
        alert_id = new_id("alr")
        fields = {"id": alert_id, "identity": key, "env": env, "rule": rule, "scope": scope, "app_id": app_id}
        fields |= {"severity": bad, "title": known.title, "message": message}
        moments = {"opened_at": now, "last_seen_at": now}
        if queries.add_alert(session, {**fields, **moments, "detail": dict(metadata)}):
            queries.add_occurrence(session, alert_id, metadata, now)
            queries.enqueue(
                session, new_id("alm"), alert_id, Kind.FIRING.value, rules.first_message_at(known, now)
            )
            return alert_id
        found = queries.open_alert(session, key)
        if found is None:  # opened and resolved by another in between: it is over, and this is news
            return raise_(session, rule, scope, app_id, env=env, message=message, now=now, metadata=metadata)
    worse = rules.raised(found.severity, bad, parent_open=False) is Raised.WORSE
    found.seen += 1
    found.last_seen_at = max(found.last_seen_at, now)
    found.message, found.detail = message, dict(metadata)
    if worse:
        found.severity = bad
    session.flush()
    if known.listed:
        queries.add_occurrence(session, found.id, metadata, now)
    if worse:
        queries.hasten(session, found.id, now)
        queries.enqueue(session, new_id("alm"), found.id, Kind.FIRING.value, now)
    return found.id


def resolve(
    session: Session, rule: str, scope: str = "", app_id: str = "", *, env: str, now: datetime
) -> bool:
    """The condition is over. False when none was open. A parent's outage keeps nothing from ending."""
    found = queries.open_alert(session, identity(env, rule, scope, app_id))
    if found is None:
        return False
    found.resolved_at = now
    session.flush()
    queries.drop_untried(session, found.id)
    being_told = queries.is_pending(session, found.id)
    if rules.tell_of_end(told=found.notified_at is not None, being_told=being_told):
        queries.enqueue(session, new_id("alm"), found.id, Kind.RESOLVED.value, now)
    return True


def test(session: Session, env: str, by: str, now: datetime) -> str:
    """A test alert goes the way of every other one; each is an alert of its own. Returns its id."""
    scope = new_id("test")
    message = f"{by} asked for this test. Acknowledge it by the link: that proves that alerts reach a person."
    audit.record(session, by, "alerts.test", scope, now)
    raised = raise_(session, TEST.name, scope, env=env, message=message, now=now)
    if raised is None:
        raise Refused("The test alert was not opened.")
    return raised


def silence(
    session: Session,
    *,
    rule: str = "",
    scope: str = "",
    app_id: str = "",
    owner: str,
    reason: str,
    length: timedelta,
    now: datetime,
) -> str:
    """Hold back messages about what is covered, until it expires. Raises `Refused` without owner, reason or
    end."""
    if rule and rule not in RULES:
        raise Refused(f"There is no rule {rule!r}.", fix=f"Name one of: {', '.join(RULES)}.")
    if not owner.strip() or not reason.strip():
        raise Refused("A silence needs an owner and a reason.", fix="Say who answers for it, and why.")
    if not timedelta(0) < length <= LONGEST_SILENCE:
        raise Refused("A silence lasts from a moment to seven days.", fix="Choose a shorter time.")
    silence_id = new_id("sil")
    fields = {
        "rule": rule,
        "scope": scope,
        "app_id": app_id,
        "owner": owner.strip(),
        "reason": reason.strip(),
    }
    moments = {"created_at": now, "expires_at": now + length}
    queries.add_silence(session, {"id": silence_id, **fields, **moments})
    audit.record(
        session, owner.strip(), "alerts.silence", silence_id, now, {**fields, "until": str(now + length)}
    )
    return silence_id


def unsilence(session: Session, silence_id: str, by: str, now: datetime) -> None:
    """End it early: what it held back is sent. Raises `NotFound`."""
    found = queries.silence(session, silence_id)
    ends = found.expires_at if found else now
    if not queries.end_silence(session, silence_id, now):
        raise NotFound("No such silence holds.", fix="`firstuser alerts list` shows those that do.")
    queries.release_held(session, now, ends)
    audit.record(session, by, "alerts.unsilence", silence_id, now)


def acknowledge(session: Session, alert_id: str, by: str, now: datetime) -> None:
    """By somebody who is known by other means (signed in, or at the command line). Raises `NotFound`."""
    found = queries.lock_alert(session, alert_id)
    if found is None:
        raise NotFound(f"There is no alert {alert_id}.", fix="`firstuser alerts list` shows them.")
    if found.acknowledged_at is None:
        found.acknowledged_at, found.acknowledged_by = now, _person(by)
        audit.record(session, _person(by), "alerts.acknowledge", alert_id, now)
        body = {"alert": alert_id, "rule": found.rule, "by": _person(by), "level": "L2"}
        evidence.append(session, STREAM, "acknowledged", body, now)
    session.flush()


def acknowledgeable(session: Session, code: str, now: datetime) -> str:
    """The alert that a code is for; changes nothing. Raises `NotFound`, `Expired`."""
    found = queries.code(session, digest(code))
    if found is None:
        raise NotFound("There is no such code.")
    if found.used_at is not None:
        raise Expired(f"{found.used_by} acknowledged with this code.", fix="There is nothing left to do.")
    if found.expires_at <= now:
        raise Expired("The code is too old.", fix="A newer message holds a newer one.")
    return found.alert_id


def acknowledge_by_code(session: Session, code: str, by: str, now: datetime) -> str:
    """Once per code, by a named person; returns the alert's id. Raises `NotFound`, `Expired`, `Refused`."""
    person = _person(by)
    queries.code(session, digest(code), lock=True)
    alert_id = acknowledgeable(session, code, now)
    found = queries.code(session, digest(code))
    if found is not None:
        found.used_at, found.used_by = now, person
    acknowledge(session, alert_id, person, now)
    return alert_id


def digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


def _person(name: str) -> str:
    person = " ".join(name.split())
    if not person or len(person) > 100 or not person.isprintable():
        raise Refused("An acknowledgement has a name.", fix="Say who you are, in up to 100 letters.")
    return person


def beat(session: Session, name: str, silence: timedelta, now: datetime) -> None:
    """The loop `name` lives, and will say so again within `silence`, or it is missed."""
    queries.beat(session, name, silence.total_seconds(), now, now)


def retire(session: Session, name: str) -> None:
    """The loop ends on purpose: nobody misses it."""
    queries.retire(session, name)


def hear(session: Session, report: Report, env: str, now: datetime) -> Reply:
    """What the watcher reports is put on record; it hears which silences hold. May be repeated."""
    for outage in report.outages:
        if outage.rule in RULES:
            _put_on_record(session, outage, env)
    queries.put_report(session, WATCHER, now, report.dead_man, report.dead_man_ok_at)
    if report.leaving:
        retire(session, WATCHER)
    else:
        beat(session, WATCHER, WATCHER_SILENCE, now)
    silences = tuple(
        Silenced(one.rule, one.scope, one.app_id, one.expires_at) for one in queries.silences(session, now)
    )
    return Reply(tuple(outage.id for outage in report.outages), silences)


def _put_on_record(session: Session, outage: Outage, env: str) -> None:
    """With the messages that the watcher sent by itself: nobody is told again."""
    rule = RULES[outage.rule]
    values = {
        "id": outage.id,
        "identity": identity(env, rule.name, "", ""),
        "env": env,
        "rule": rule.name,
        "scope": "",
        "app_id": "",
        "severity": rule.severity.value,
        "title": rule.title,
        "message": outage.said or rule.title,
        "detail": {"told by": "the watcher"},
        "opened_at": outage.opened_at,
        "last_seen_at": outage.resolved_at,
        "resolved_at": outage.resolved_at,
        "notified_at": outage.notified_at,
    }
    if queries.add_ended(session, values) and outage.notified_at is not None:
        for kind, at in ((Kind.FIRING, outage.notified_at), (Kind.RESOLVED, outage.resolved_at)):
            queries.add_told(session, new_id("alm"), outage.id, kind.value, at, WATCHER)


def forget(session: Session, now: datetime) -> int:
    """Drop what ended long ago; returns how many alerts went."""
    return queries.forget(session, now - KEPT)
