"""Claim one message, settle it: two short transactions around a sending that has none open.

Sent, *then* marked: a sender killed in between leaves the claim to run out, and the message goes once more.
A claim that has run out settles nothing.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.alerts import queries, rules, service
from api.core.alerts.catalogue import CHANNEL, RULES
from api.core.alerts.messages import LISTED, AlertChannel, AlertMessage, duration, runbook
from api.core.alerts.models import Alert, Channel, Outgoing
from api.core.alerts.rules import PER_CHANNEL, Kind, Scope
from api.core.evidence import service as evidence
from api.core.ids import new_id

LEASE = timedelta(seconds=30)
CODE_LIVES = timedelta(days=2)
PRIMARY, FALLBACK = "primary", "fallback"


@dataclass(frozen=True, slots=True)
class Words:
    """What messages need to know of the place: its name, its address, where its runbooks are."""

    env: str
    public_url: str
    runbooks: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    id: str
    message: AlertMessage
    alert_id: str
    channel: str
    attempt: int
    first_tried_at: datetime


def claim(
    session: Session, configured: Mapping[str, AlertChannel], words: Words, now: datetime
) -> Claim | None:
    """The next message that is due, for the channel that may carry it now; None when there is none."""
    known = _known(session, configured, now)
    for name, carried in carriers(known).items():
        if known[name].next_send_at > now:
            continue
        found = _next(session, carried, now)
        if found is None:
            continue
        if not queries.take_turn(session, name, now, PER_CHANNEL):
            return None
        message, alert = found
        claim_id = new_id("clm")
        queries.claim(session, message.id, claim_id, now + LEASE, now)
        built = _message(session, message, alert, name, words, now)
        return Claim(claim_id, built, alert.id, name, message.attempts + 1, message.first_tried_at or now)
    return None


def carriers(known: Mapping[str, Channel]) -> Mapping[str, Sequence[str]]:
    """Living channel → whose messages it carries. The fallback carries a dead primary's too."""
    alive = {name for name, channel in known.items() if channel.dead_since is None}
    carried = {name: [name] for name in (PRIMARY, FALLBACK) if name in alive}
    if FALLBACK in alive and PRIMARY not in alive:
        carried[FALLBACK].append(PRIMARY)
    if PRIMARY in alive and FALLBACK not in alive:
        carried[PRIMARY].append(FALLBACK)
    return carried


def sent(session: Session, claimed: Claim, receipt: str, now: datetime) -> bool:
    """False when the claim had run out: another sender has the message."""
    alert = queries.lock_alert(session, claimed.alert_id)
    values = {"state": queries.SENT, "sent_at": now, "sent_by": claimed.channel, "receipt": receipt}
    if not queries.settle(session, claimed.message.id, claimed.id, {**values, "problem": None}):
        return False
    if alert is not None and claimed.message.kind is not Kind.RESOLVED:
        alert.notified_at = now
        session.flush()
    body = {
        "message": claimed.message.id,
        "alert": claimed.alert_id,
        "rule": alert.rule if alert else "",
        "kind": claimed.message.kind.value,
        "channel": claimed.channel,
        "level": "L0",
    }
    evidence.append(session, service.STREAM, "accepted", body, now)
    return True


def read_back(session: Session, claimed: Claim, now: datetime) -> None:
    """The channel has shown the message again."""
    queries.note_read_back(session, claimed.message.id, now)
    body = {
        "message": claimed.message.id,
        "alert": claimed.alert_id,
        "channel": claimed.channel,
        "level": "L1",
    }
    evidence.append(session, service.STREAM, "read_back", body, now)


def failed(
    session: Session,
    claimed: Claim,
    problem: str,
    *,
    others: bool,
    now: datetime,
    chance: float,
    retry_after: timedelta | None = None,
) -> None:
    """Later again; after an hour by the other channel, if there are `others`; then given up."""
    if retry_after:
        queries.rest_channel(session, claimed.channel, now + retry_after)
    again = rules.retry_at(claimed.attempt, claimed.first_tried_at, now, chance, retry_after)
    values: dict[str, object] = {"problem": problem}
    if again is not None:
        values |= {"due_at": again}
    elif others and claimed.channel == PRIMARY:
        values |= {"due_at": now, "channel": FALLBACK, "attempts": 0, "first_tried_at": None}
    else:
        values |= {"state": queries.GIVEN_UP}
    queries.settle(session, claimed.message.id, claimed.id, values)
    if values.get("state") == queries.GIVEN_UP and claimed.message.kind is Kind.FIRING:
        alert = queries.lock_alert(session, claimed.alert_id)
        if alert is not None and alert.notified_at is None:
            queries.drop_untried(session, alert.id)  # the end of what nobody was told of is no news


def dead(session: Session, claimed: Claim, problem: str, words: Words, now: datetime) -> None:
    """The channel said that it will never take it: nothing goes there any more, and the other one is told."""
    values = {"problem": problem, "due_at": now, "attempts": 0, "first_tried_at": None}
    queries.settle(session, claimed.message.id, claimed.id, values)
    if queries.end_channel(session, claimed.channel, problem, now):
        message = f"The {claimed.channel} alert channel takes no messages: {problem}"
        service.raise_(session, CHANNEL.name, claimed.channel, env=words.env, message=message, now=now)


def revive(session: Session, name: str, env: str, now: datetime) -> bool:
    """Try a dead channel again, on somebody's word. False when there is none of that name."""
    service.resolve(session, CHANNEL.name, name, env=env, now=now)
    return queries.revive_channel(session, name)


def _known(session: Session, configured: Mapping[str, AlertChannel], now: datetime) -> Mapping[str, Channel]:
    known = queries.channels(session)
    fresh = [
        name
        for name, channel in configured.items()
        if name not in known or known[name].fingerprint != channel.fingerprint
    ]
    for name in fresh:
        queries.put_channel(session, name, configured[name].kind, configured[name].fingerprint, now)
    known = queries.channels(session) if fresh else known
    return {name: channel for name, channel in known.items() if name in configured}


def _next(session: Session, channels: Sequence[str], now: datetime) -> tuple[Outgoing, Alert] | None:
    """What a silence covers is put off until it ends, and the one after it looked at."""
    silences = queries.silences(session, now)
    while message := queries.next_due(session, channels, now):
        alert = session.get_one(Alert, message.alert_id, populate_existing=True)
        ends = [
            one.expires_at
            for one in silences
            if Scope(one.rule, one.scope, one.app_id).covers(alert.rule, alert.scope, alert.app_id)
        ]
        held = rules.held_until(ends, now) if message.kind != Kind.RESOLVED.value else None
        if held is None:
            return message, alert
        queries.postpone(session, message.id, held)
    return None


def _message(
    session: Session, message: Outgoing, alert: Alert, channel: str, words: Words, now: datetime
) -> AlertMessage:
    kind = Kind(message.kind)
    ack_url = ""
    if kind is not Kind.RESOLVED and alert.acknowledged_at is None:
        code = secrets.token_urlsafe(24)
        queries.add_code(session, service.digest(code), alert.id, message.id, now + CODE_LIVES)
        ack_url = f"{words.public_url.rstrip('/')}/ack/{code}"
    return AlertMessage(
        id=message.id,
        key=alert.identity,
        kind=kind,
        severity=alert.severity,
        title=alert.title,
        message=_said(session, alert, kind),
        at=alert.opened_at if kind is not Kind.RESOLVED else (alert.resolved_at or now),
        metadata=_facts(alert),
        runbook=runbook(alert.rule, words.runbooks),
        ack_url=ack_url,
        earlier=queries.earlier_receipt(session, alert.id, channel) if kind is Kind.RESOLVED else "",
    )


def _said(session: Session, alert: Alert, kind: Kind) -> str:
    lines = [alert.message]
    if kind is Kind.RESOLVED and alert.resolved_at:
        lines.insert(0, f"Over after {duration(alert.resolved_at - alert.opened_at)}.")
    if RULES[alert.rule].listed and alert.seen > 1:
        lines.append(f"{alert.seen} of them since {alert.opened_at:%H:%M:%S} UTC:")
        listed = queries.occurrences(session, alert.id, LISTED)
        lines += [", ".join(f"{name} {value}" for name, value in one.detail.items()) for one in listed]
        if alert.seen > LISTED:
            lines.append(f"and {alert.seen - LISTED} more: `firstuser alerts list {alert.id}`")
    return "\n".join(lines)


def _facts(alert: Alert) -> dict[str, str]:
    facts = {"environment": alert.env, "rule": alert.rule}
    facts |= {"scope": alert.scope} if alert.scope else {}
    facts |= {"integration_app_id": alert.app_id} if alert.app_id else {}
    return facts | {name: str(value) for name, value in alert.detail.items()}
