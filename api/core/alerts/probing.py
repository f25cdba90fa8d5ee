"""The watcher's decisions and all that it has to remember, as values: no database, no clock, no network.

    probe → `judge` → `Seen` → `observe` → `Watch` with what is to be told in its spool → `told`, `failed`

One outage is one episode, whatever it looks like on the way: an API that answers 503 for its database and
then falls silent is told once. What is in the spool goes out in order. Whoever may have got a page hears its
end, however often the watcher was killed; an end is never given up. What has ended waits for the API, which
puts it on record (`reports`); silences come from there, too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from api.core.alerts import rules
from api.core.alerts.catalogue import API, DATABASE, RULES
from api.core.alerts.messages import AlertMessage, duration, runbook
from api.core.alerts.reports import Outage, Silenced
from api.core.alerts.rules import PER_CHANNEL, Kind, Scope, identity
from api.core.ids import new_id

BAD_BEFORE_PAGE = 3
GOOD_BEFORE_RESOLVE = 2
_REMEMBERED = 100
CLOSER_LOOK = timedelta(seconds=3)
DEAD_FOR = timedelta(hours=1)
"""So long a channel that said no is left alone; there is nobody here who could revive it."""


@dataclass(frozen=True, slots=True)
class Place:
    env: str
    interval: timedelta
    runbooks: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """`rule`: what is wrong, "" when all is well. `says_nothing`: a process that goes away on purpose."""

    rule: str
    detail: str = ""
    says_nothing: bool = False


@dataclass(frozen=True, slots=True)
class Spooled:
    """`flying`: a try that nothing is known of. `maybe`: there was one; it may have been accepted."""

    message: AlertMessage
    due_at: datetime
    episode: str = ""
    channel: str = "primary"
    attempts: int = 0
    first_tried_at: datetime | None = None
    flying: bool = False
    maybe: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """`receipts`: channel → its id of the message that began it. `maybe_told`: a page may have got out."""

    rule: str
    opened_at: datetime
    notified_at: datetime | None = None
    receipts: Mapping[str, str] = field(default_factory=dict[str, str])
    id: str = field(default_factory=lambda: new_id("alr"))
    maybe_told: bool = False
    said: str = ""

    @property
    def told(self) -> bool:
        return self.notified_at is not None or self.maybe_told


@dataclass(frozen=True, slots=True)
class Watch:
    """What survives a `kill -9`: `deployments.watch_file` keeps it."""

    looked_at: datetime | None = None
    bad: int = 0
    good: int = 0
    bad_since: datetime | None = None
    episode: Episode | None = None
    spool: tuple[Spooled, ...] = ()
    rests_until: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    dead_until: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    dead_man_at: datetime | None = None
    dead_man_ok_at: datetime | None = None
    ended: tuple[Outage, ...] = ()
    silences: tuple[Silenced, ...] = ()


def judge(status: int, body: Any) -> Seen:
    """What `/api/readyz?verbose` says."""
    if status == 200:
        return Seen("")
    checks: Any = body.get("checks", {}) if isinstance(body, dict) else {}
    failing = {name: check for name, check in checks.items() if check.get("status") != "ok"}
    if "database" in failing:
        return Seen(DATABASE.name, f"readyz: the database fails: {failing['database'].get('detail', '')}")
    if set(failing) == {"draining"}:
        return Seen("", says_nothing=True)
    said = "; ".join(f"{name}: {check.get('detail', '')}" for name, check in failing.items())
    return Seen(API.name, f"readyz answered {status}. {said}".strip())


def silent(error: str) -> Seen:
    return Seen(API.name, f"readyz gave no answer ({error}).")


def observe(watch: Watch, seen: Seen, place: Place, now: datetime) -> Watch:
    watch = replace(watch, looked_at=now)
    if seen.says_nothing:
        return watch
    if seen.rule:
        return _bad(watch, seen, place, now)
    watch = replace(watch, bad=0, good=watch.good + 1, bad_since=None)
    if watch.episode and watch.good >= GOOD_BEFORE_RESOLVE:
        return _resolved(watch, watch.episode, place, now)
    return watch


def next_look(watch: Watch, place: Place, now: datetime) -> datetime:
    """Soon again while it is not sure."""
    unsure = (0 < watch.bad < BAD_BEFORE_PAGE) or (watch.episode and 0 < watch.good < GOOD_BEFORE_RESOLVE)
    return now + (min(CLOSER_LOOK, place.interval) if unsure else place.interval)


def next_to_send(watch: Watch, channels: Mapping[str, str], now: datetime) -> tuple[Spooled, str] | None:
    """The head of the spool and the channel for it, when it may go now. `channels`: name → fingerprint."""
    if not watch.spool or watch.spool[0].due_at > now or _silenced(watch, watch.spool[0], now):
        return None
    head = watch.spool[0]
    alive = [name for name, mark in channels.items() if watch.dead_until.get(mark, now) <= now]
    wanted = head.channel if head.channel in alive else next(iter(alive), None)
    if wanted is None or watch.rests_until.get(wanted, now) > now:
        return None
    return head, wanted


def trying(watch: Watch, channel: str, now: datetime) -> Watch:
    """Noted before it is sent: whatever happens then, the channel has its second of rest."""
    head = watch.spool[0]
    tried = replace(
        head,
        attempts=head.attempts + 1,
        first_tried_at=head.first_tried_at or now,
        flying=True,
        maybe=head.maybe or head.flying,
    )
    rests = {**watch.rests_until, channel: now + PER_CHANNEL}
    return replace(watch, spool=(tried, *watch.spool[1:]), rests_until=rests)


def told(watch: Watch, channel: str, receipt: str, now: datetime) -> Watch:
    """The head was accepted."""
    head, *rest = watch.spool
    episode = watch.episode
    if episode and head.message.kind is not Kind.RESOLVED:
        receipts = {channel: receipt, **episode.receipts}
        episode = replace(episode, notified_at=now, receipts=receipts)
    return replace(watch, spool=tuple(rest), episode=episode)


def failed(
    watch: Watch,
    channel: str,
    channels: Mapping[str, str],
    now: datetime,
    chance: float,
    *,
    retryable: bool,
    retry_after: timedelta | None = None,
) -> Watch:
    """The head was not: later again, or by the other channel. Nothing is dropped before an hour of trying."""
    head, *rest = watch.spool
    head = replace(head, flying=False)
    others = [name for name in channels if name != channel]
    afresh = replace(head, due_at=now, attempts=0, first_tried_at=None)
    if not retryable:
        dead = {**watch.dead_until, channels[channel]: now + DEAD_FOR}
        return replace(watch, spool=(afresh, *rest), dead_until=dead)
    rests = dict(watch.rests_until)
    if retry_after:
        rests[channel] = now + retry_after
    again = rules.retry_at(head.attempts, head.first_tried_at or now, now, chance, retry_after)
    if again is not None:
        spool = (replace(head, due_at=again), *rest)
    elif others and channel == "primary":
        spool = (replace(afresh, channel=others[0]), *rest)
    elif head.message.kind is Kind.RESOLVED:
        spool = (replace(afresh, channel="primary", due_at=now + rules.RETRY_LONGEST), *rest)
    else:
        return _given_up(replace(watch, rests_until=rests), head, rest)
    return replace(watch, spool=spool, rests_until=rests)


def on_record(watch: Watch, known: Collection[str], silences: tuple[Silenced, ...]) -> Watch:
    """The API has these outages, and these silences hold."""
    left = tuple(one for one in watch.ended if one.id not in known)
    return replace(watch, ended=left, silences=silences)


def _given_up(watch: Watch, head: Spooled, rest: Sequence[Spooled]) -> Watch:
    """A page that surely nobody got takes its end with it: that would be no news to anybody."""
    episode = watch.episode
    if head.maybe and episode and episode.id == head.episode:
        episode = replace(episode, maybe_told=True)
    begins = head.message.kind is Kind.FIRING and not head.maybe
    kept = tuple(one for one in rest if not (begins and one.episode == head.episode))
    return replace(watch, spool=kept, episode=episode)


def _silenced(watch: Watch, head: Spooled, now: datetime) -> bool:
    if head.message.kind is Kind.RESOLVED:
        return False
    rule = head.message.metadata["rule"]
    return any(
        one.expires_at > now and Scope(one.rule, one.scope, one.app_id).covers(rule, "", "")
        for one in watch.silences
    )


def _bad(watch: Watch, seen: Seen, place: Place, now: datetime) -> Watch:
    since = watch.bad_since or now
    watch = replace(watch, bad=watch.bad + 1, good=0, bad_since=since)
    episode = watch.episode
    if episode is None:
        if watch.bad < BAD_BEFORE_PAGE:
            return watch
        episode = Episode(seen.rule, since, said=seen.detail)
        page = _spooled(episode, Kind.FIRING, f"{seen.detail} Since {since:%H:%M:%S} UTC.", place, now)
        hastened = (replace(one, due_at=min(one.due_at, now)) for one in watch.spool)
        return replace(watch, episode=episode, spool=(*hastened, page))
    waiting = any(one.message.kind is not Kind.RESOLVED for one in watch.spool)
    if not waiting and rules.repeat_due(episode.opened_at, episode.notified_at, now):
        kind = Kind.REPEAT if episode.told else Kind.FIRING
        again = _spooled(episode, kind, f"{seen.detail} Since {episode.opened_at:%H:%M} UTC.", place, now)
        return replace(watch, spool=(*watch.spool, again))
    return watch


def _resolved(watch: Watch, episode: Episode, place: Place, now: datetime) -> Watch:
    kept = tuple(one for one in watch.spool if one.attempts or one.maybe or one.message.kind is Kind.RESOLVED)
    being_told = any(one.message.kind is not Kind.RESOLVED for one in kept)
    past = Outage(episode.id, episode.rule, episode.opened_at, now, episode.notified_at, episode.said)
    watch = replace(watch, episode=None, spool=kept, ended=(*watch.ended, past)[-_REMEMBERED:])
    if not rules.tell_of_end(told=episode.told, being_told=being_told):
        return watch
    said = f"readyz is green again. Over after {duration(now - episode.opened_at)}."
    end = _spooled(episode, Kind.RESOLVED, said, place, now)
    return replace(watch, spool=(*kept, end))


def _spooled(episode: Episode, kind: Kind, said: str, place: Place, now: datetime) -> Spooled:
    rule = RULES[episode.rule]
    message = AlertMessage(
        id=new_id("alm"),
        key=identity(place.env, rule.name, "", ""),
        kind=kind,
        severity=rule.severity.value,
        title=rule.title,
        message=said,
        at=now if kind is Kind.RESOLVED else episode.opened_at,
        metadata={"environment": place.env, "rule": rule.name, "told by": "the watcher"},
        runbook=runbook(rule.name, place.runbooks),
        earlier=next(iter(episode.receipts.values()), "") if kind is Kind.RESOLVED else "",
    )
    return Spooled(message, due_at=now, episode=episode.id)
