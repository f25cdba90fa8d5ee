"""SQL of alerts. Locks are taken in one order: the alert, then its messages; a claim takes messages only."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session, aliased

from api.core.alerts.catalogue import RANK
from api.core.alerts.models import (
    AckCode,
    Alert,
    AnswerMinute,
    Channel,
    Heartbeat,
    Occurrence,
    Outgoing,
    Silence,
    WatcherReport,
)

DUE, SENT, GIVEN_UP, DROPPED = "due", "sent", "given_up", "dropped"
_PENDING = (Outgoing.state == DUE, Outgoing.kind != "resolved")


def acknowledged_by_code(session: Session, rule: str, since: datetime) -> Sequence[tuple[str, str, datetime]]:
    """(alert, who, when) of messages of the rule that were sent and answered by their code."""
    rows = session.execute(
        select(AckCode.alert_id, AckCode.used_by, AckCode.used_at)
        .join(Alert, Alert.id == AckCode.alert_id)
        .join(Outgoing, Outgoing.id == AckCode.message_id)
        .where(Alert.rule == rule, AckCode.used_at >= since, Outgoing.sent_at.is_not(None))
        .order_by(AckCode.used_at)
    )
    return [(alert, who or "", when) for alert, who, when in rows if when is not None]


def open_alert(session: Session, identity: str) -> Alert | None:
    """Locked until the transaction ends."""
    query = select(Alert).where(Alert.identity == identity, Alert.resolved_at.is_(None)).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def lock_alert(session: Session, alert_id: str) -> Alert | None:
    return session.get(Alert, alert_id, with_for_update=True, populate_existing=True)


def any_open(session: Session, env: str, rules: Collection[str]) -> bool:
    found = exists().where(Alert.env == env, Alert.rule.in_(rules), Alert.resolved_at.is_(None))
    return bool(rules) and bool(session.scalar(select(found)))


def open_alerts(session: Session, env: str | None = None, rule: str | None = None) -> Sequence[Alert]:
    """The worst first, then the newest."""
    query = select(Alert).where(Alert.resolved_at.is_(None))
    query = query.where(Alert.env == env) if env else query
    query = query.where(Alert.rule == rule) if rule else query
    found = session.scalars(query.execution_options(populate_existing=True))
    return sorted(found, key=lambda alert: (RANK[alert.severity], -alert.opened_at.timestamp()))


def recent_alerts(session: Session, limit: int) -> Sequence[Alert]:
    query = select(Alert).where(Alert.resolved_at.is_not(None)).order_by(Alert.opened_at.desc()).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def add_alert(session: Session, values: Mapping[str, Any]) -> bool:
    """False when another transaction has just opened one of that identity."""
    row = upsert(Alert).values({getattr(Alert, name): value for name, value in values.items()})
    row = row.on_conflict_do_nothing(index_elements=["identity"], index_where=Alert.resolved_at.is_(None))
    return session.execute(row.returning(Alert.id)).first() is not None


def add_ended(session: Session, values: Mapping[str, Any]) -> bool:
    """An alert that is over already. False when it is known."""
    row = upsert(Alert).values({getattr(Alert, name): value for name, value in values.items()})
    return session.execute(row.on_conflict_do_nothing().returning(Alert.id)).first() is not None


def add_told(session: Session, message_id: str, alert_id: str, kind: str, at: datetime, by: str) -> None:
    """A message that somebody else has sent."""
    fields = {"id": message_id, "alert_id": alert_id, "kind": kind, "due_at": at, "sent_at": at}
    session.execute(insert(Outgoing).values(**fields, state=SENT, sent_by=by, attempts=1))


def put_report(
    session: Session, name: str, at: datetime, dead_man: bool, dead_man_ok_at: datetime | None
) -> None:
    fields = {"reported_at": at, "dead_man": dead_man, "dead_man_ok_at": dead_man_ok_at}
    row = upsert(WatcherReport).values(name=name, **fields)
    session.execute(row.on_conflict_do_update(index_elements=[WatcherReport.name], set_=fields))


def reports(session: Session) -> Sequence[WatcherReport]:
    query = select(WatcherReport).order_by(WatcherReport.name)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def add_occurrence(session: Session, alert_id: str, detail: Mapping[str, str], now: datetime) -> None:
    session.execute(insert(Occurrence).values(alert_id=alert_id, at=now, detail=dict(detail)))


def occurrences(session: Session, alert_id: str, limit: int) -> Sequence[Occurrence]:
    """Newest first."""
    query = select(Occurrence).where(Occurrence.alert_id == alert_id)
    return session.scalars(query.order_by(Occurrence.id.desc()).limit(limit)).all()


def told_runs(session: Session, rule: str, run_ids: Collection[str]) -> set[str]:
    """Which flow runs an occurrence of the rule names."""
    named = Occurrence.detail["flow_run_id"].astext
    query = select(named).join(Alert, Alert.id == Occurrence.alert_id)
    return set(session.scalars(query.where(Alert.rule == rule, named.in_(run_ids))))


def enqueue(session: Session, message_id: str, alert_id: str, kind: str, due_at: datetime) -> bool:
    """False when a message about the alert waits already."""
    row = upsert(Outgoing).values(id=message_id, alert_id=alert_id, kind=kind, due_at=due_at)
    return session.execute(row.on_conflict_do_nothing().returning(Outgoing.id)).first() is not None


def hasten(session: Session, alert_id: str, now: datetime) -> None:
    session.execute(
        update(Outgoing)
        .where(Outgoing.alert_id == alert_id, *_PENDING, Outgoing.attempts == 0, Outgoing.due_at > now)
        .values(due_at=now)
    )


def drop_untried(session: Session, alert_id: str) -> None:
    """The row stays: a message that is not there was lost."""
    untried = (Outgoing.alert_id == alert_id, *_PENDING, Outgoing.attempts == 0)
    session.execute(update(Outgoing).where(*untried).values(state=DROPPED))


def is_pending(session: Session, alert_id: str) -> bool:
    return bool(session.scalar(select(exists().where(Outgoing.alert_id == alert_id, *_PENDING))))


def next_due(session: Session, channels: Collection[str], now: datetime) -> Outgoing | None:
    """The worst, then the oldest that is due and nobody's; of one alert always in order. Locked."""
    before = aliased(Outgoing)
    earlier = exists().where(
        before.alert_id == Outgoing.alert_id, before.state == DUE, before.seq < Outgoing.seq
    )
    severity = func.array_position(list(RANK), Alert.severity)
    query = (
        select(Outgoing)
        .join(Alert, Alert.id == Outgoing.alert_id)
        .where(
            Outgoing.state == DUE,
            Outgoing.due_at <= now,
            Outgoing.channel.in_(channels),
            or_(Outgoing.claimed_until.is_(None), Outgoing.claimed_until <= now),
            ~earlier,
        )
        .order_by(severity, Outgoing.due_at, Outgoing.seq)
        .limit(1)
        .with_for_update(of=Outgoing, skip_locked=True)
    )
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def earlier_receipt(session: Session, alert_id: str, channel: str) -> str:
    query = (
        select(Outgoing.receipt)
        .where(Outgoing.alert_id == alert_id, Outgoing.state == SENT, Outgoing.sent_by == channel)
        .order_by(Outgoing.seq)
        .limit(1)
    )
    return session.scalar(query) or ""


def claim(session: Session, message_id: str, claim_id: str, until: datetime, now: datetime) -> None:
    session.execute(
        update(Outgoing)
        .where(Outgoing.id == message_id)
        .values(
            claim_id=claim_id,
            claimed_until=until,
            attempts=Outgoing.attempts + 1,
            first_tried_at=func.coalesce(Outgoing.first_tried_at, now),
        )
    )


def settle(session: Session, message_id: str, claim_id: str, values: Mapping[str, Any]) -> bool:
    """False when the claim has run out and another sender has it."""
    row = (
        update(Outgoing)
        .where(Outgoing.id == message_id, Outgoing.claim_id == claim_id, Outgoing.state == DUE)
        .values(claim_id=None, claimed_until=None, **values)
    )
    return session.execute(row.returning(Outgoing.id)).first() is not None


def postpone(session: Session, message_id: str, until: datetime) -> None:
    session.execute(update(Outgoing).where(Outgoing.id == message_id).values(due_at=until))


def note_read_back(session: Session, message_id: str, now: datetime) -> None:
    session.execute(update(Outgoing).where(Outgoing.id == message_id).values(read_back_at=now))


def messages(session: Session, alert_ids: Collection[str]) -> Sequence[Outgoing]:
    """Those that were sent, or are to be."""
    query = select(Outgoing).where(Outgoing.alert_id.in_(alert_ids), Outgoing.state != DROPPED)
    query = query.order_by(Outgoing.seq)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def waiting(session: Session, now: datetime) -> int:
    """Messages that are due."""
    query = select(func.count()).where(Outgoing.state == DUE, Outgoing.due_at <= now)
    return session.scalar(query) or 0


def channels(session: Session) -> Mapping[str, Channel]:
    found = session.scalars(select(Channel).execution_options(populate_existing=True))
    return {channel.name: channel for channel in found}


def put_channel(session: Session, name: str, kind: str, fingerprint: str, now: datetime) -> None:
    fields = {"kind": kind, "fingerprint": fingerprint, "dead_since": None, "problem": None}
    row = upsert(Channel).values(name=name, next_send_at=now, **fields)
    session.execute(row.on_conflict_do_update(index_elements=[Channel.name], set_=fields))


def take_turn(session: Session, name: str, now: datetime, pause: timedelta) -> bool:
    """False when another sender has just used the channel."""
    row = (
        update(Channel)
        .where(Channel.name == name, Channel.next_send_at <= now, Channel.dead_since.is_(None))
        .values(next_send_at=now + pause)
    )
    return session.execute(row.returning(Channel.name)).first() is not None


def rest_channel(session: Session, name: str, until: datetime) -> None:
    session.execute(
        update(Channel)
        .where(Channel.name == name)
        .values(next_send_at=func.greatest(Channel.next_send_at, until))
    )


def end_channel(session: Session, name: str, problem: str, now: datetime) -> bool:
    """False when it was known to be dead."""
    row = (
        update(Channel)
        .where(Channel.name == name, Channel.dead_since.is_(None))
        .values(dead_since=now, problem=problem)
    )
    return session.execute(row.returning(Channel.name)).first() is not None


def revive_channel(session: Session, name: str) -> bool:
    row = update(Channel).where(Channel.name == name).values(dead_since=None, problem=None)
    return session.execute(row.returning(Channel.name)).first() is not None


def add_code(session: Session, digest: bytes, alert_id: str, message_id: str, expires_at: datetime) -> None:
    session.execute(
        insert(AckCode).values(
            code_sha256=digest, alert_id=alert_id, message_id=message_id, expires_at=expires_at
        )
    )


def code(session: Session, digest: bytes, *, lock: bool = False) -> AckCode | None:
    return session.get(AckCode, digest, with_for_update=lock, populate_existing=True)


def add_silence(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(insert(Silence).values(**values))


def silences(session: Session, now: datetime) -> Sequence[Silence]:
    """Those that hold now, the first to end first."""
    return session.scalars(select(Silence).where(Silence.expires_at > now).order_by(Silence.expires_at)).all()


def end_silence(session: Session, silence_id: str, now: datetime) -> bool:
    row = update(Silence).where(Silence.id == silence_id, Silence.expires_at > now).values(expires_at=now)
    return session.execute(row.returning(Silence.id)).first() is not None


def release_held(session: Session, now: datetime, ends: datetime) -> None:
    """What a lifted silence held back until `ends` is due again."""
    session.execute(update(Outgoing).where(Outgoing.state == DUE, Outgoing.due_at == ends).values(due_at=now))


def silence(session: Session, silence_id: str) -> Silence | None:
    return session.get(Silence, silence_id, populate_existing=True)


def beat(session: Session, name: str, silence_seconds: float, now: datetime, since: datetime) -> None:
    fields = {"beat_at": now, "silence_seconds": silence_seconds, "since": since}
    row = upsert(Heartbeat).values(name=name, **fields)
    session.execute(row.on_conflict_do_update(index_elements=[Heartbeat.name], set_=fields))


def heartbeats(session: Session) -> Mapping[str, Heartbeat]:
    found = session.scalars(
        select(Heartbeat).order_by(Heartbeat.name).execution_options(populate_existing=True)
    )
    return {row.name: row for row in found}


def retire(session: Session, name: str) -> None:
    session.execute(delete(Heartbeat).where(Heartbeat.name == name))


def one_checker(session: Session) -> bool:
    """Whether this transaction is the only one that checks."""
    return bool(session.scalar(text("select pg_try_advisory_xact_lock(7310005)")))


def count_answers(session: Session, minute: datetime, answers: int, failures: int) -> tuple[int, int]:
    """(answers, failures) of the minute so far, of all processes."""
    row = upsert(AnswerMinute).values(minute=minute, answers=answers, failures=failures)
    row = row.on_conflict_do_update(
        index_elements=[AnswerMinute.minute],
        set_={
            "answers": AnswerMinute.answers + row.excluded.answers,
            "failures": AnswerMinute.failures + row.excluded.failures,
        },
    )
    found = session.execute(row.returning(AnswerMinute.answers, AnswerMinute.failures)).one()
    return found[0], found[1]


def forget(session: Session, before: datetime) -> int:
    """Episodes that ended, silences and minutes of before; what is open stays."""
    gone = session.execute(delete(Alert).where(Alert.resolved_at < before).returning(Alert.id)).all()
    session.execute(delete(Silence).where(Silence.expires_at < before))
    session.execute(delete(AnswerMinute).where(AnswerMinute.minute < before))
    return len(gone)
