"""Alerts as people see them: open ones, those of late, channels, silences, loops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.alerts import queries
from api.core.alerts.catalogue import TEST
from api.core.alerts.messages import runbook
from api.core.alerts.models import Alert, Outgoing
from api.core.errors import NotFound

LEVELS: Mapping[str, str] = {
    "": "not sent yet",
    "L0": "accepted by the channel",
    "L1": "read back from the channel",
    "L2": "acknowledged by a person",
}


@dataclass(frozen=True, slots=True)
class MessageView:
    id: str
    kind: str
    state: str
    channel: str
    due_at: datetime
    sent_at: datetime | None
    read_back_at: datetime | None
    attempts: int
    problem: str


@dataclass(frozen=True, slots=True)
class AlertView:
    """`receipt`: how far it is proven to have got: L0, L1, L2, or nothing yet."""

    id: str
    rule: str
    scope: str
    app_id: str
    severity: str
    title: str
    message: str
    metadata: Mapping[str, str]
    seen: int
    opened_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    receipt: str
    runbook: str
    messages: Sequence[MessageView]


@dataclass(frozen=True, slots=True)
class ChannelView:
    name: str
    kind: str
    dead_since: datetime | None
    problem: str


@dataclass(frozen=True, slots=True)
class SilenceView:
    id: str
    rule: str
    scope: str
    app_id: str
    owner: str
    reason: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LoopView:
    name: str
    beat_at: datetime
    silence_seconds: float


@dataclass(frozen=True, slots=True)
class WatcherView:
    """`dead_man`: there is a switch outside that misses the watcher; `dead_man_ok_at`: when it last heard."""

    name: str
    reported_at: datetime
    dead_man: bool
    dead_man_ok_at: datetime | None


def open_alerts(session: Session, runbooks: str) -> Sequence[AlertView]:
    """The worst first."""
    return _views(session, queries.open_alerts(session), runbooks)


def ended_alerts(session: Session, runbooks: str, limit: int = 20) -> Sequence[AlertView]:
    """Newest first."""
    return _views(session, queries.recent_alerts(session, limit), runbooks)


def alert(session: Session, alert_id: str, runbooks: str) -> AlertView:
    """Raises `NotFound`."""
    found = session.get(Alert, alert_id, populate_existing=True)
    if found is None:
        raise NotFound(f"There is no alert {alert_id}.", fix="`firstuser alerts list` shows them.")
    return _views(session, [found], runbooks)[0]


def occurrences(
    session: Session, alert_id: str, limit: int = 10_000
) -> Sequence[tuple[datetime, Mapping[str, str]]]:
    """Everything that the alert stands for, newest first."""
    return [(one.at, one.detail) for one in queries.occurrences(session, alert_id, limit)]


def received_tests(session: Session, since: datetime) -> Sequence[tuple[str, str, datetime]]:
    """(alert, who, when) of test alerts that a person acknowledged by the link in the message (L2)."""
    return queries.acknowledged_by_code(session, TEST.name, since)


def channels(session: Session) -> Sequence[ChannelView]:
    found = queries.channels(session).values()
    return [ChannelView(one.name, one.kind, one.dead_since, one.problem or "") for one in found]


def silences(session: Session, now: datetime) -> Sequence[SilenceView]:
    return [
        SilenceView(one.id, one.rule, one.scope, one.app_id, one.owner, one.reason, one.expires_at)
        for one in queries.silences(session, now)
    ]


def loops(session: Session) -> Sequence[LoopView]:
    return [
        LoopView(one.name, one.beat_at, one.silence_seconds) for one in queries.heartbeats(session).values()
    ]


def watchers(session: Session) -> Sequence[WatcherView]:
    return [
        WatcherView(one.name, one.reported_at, one.dead_man, one.dead_man_ok_at)
        for one in queries.reports(session)
    ]


def waiting(session: Session, now: datetime) -> int:
    return queries.waiting(session, now)


def level(sent: bool, read_back: bool, acknowledged: bool) -> str:
    return "L2" if acknowledged else "L1" if read_back else "L0" if sent else ""


def _views(session: Session, found: Sequence[Alert], runbooks: str) -> Sequence[AlertView]:
    messages = queries.messages(session, [one.id for one in found])
    return [_view(one, [m for m in messages if m.alert_id == one.id], runbooks) for one in found]


def _view(found: Alert, messages: Sequence[Outgoing], runbooks: str) -> AlertView:
    return AlertView(
        id=found.id,
        rule=found.rule,
        scope=found.scope,
        app_id=found.app_id,
        severity=found.severity,
        title=found.title,
        message=found.message,
        metadata=found.detail,
        seen=found.seen,
        opened_at=found.opened_at,
        last_seen_at=found.last_seen_at,
        resolved_at=found.resolved_at,
        acknowledged_at=found.acknowledged_at,
        acknowledged_by=found.acknowledged_by,
        receipt=level(
            any(m.sent_at for m in messages),
            any(m.read_back_at for m in messages),
            found.acknowledged_at is not None,
        ),
        runbook=runbook(found.rule, runbooks),
        messages=[_message(m) for m in messages],
    )


def _message(found: Outgoing) -> MessageView:
    return MessageView(
        found.id,
        found.kind,
        found.state,
        found.sent_by or found.channel,
        found.due_at,
        found.sent_at,
        found.read_back_at,
        found.attempts,
        found.problem or "",
    )
