"""SQL of episodes: standings, overrides, latching, actions, timeline."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from api.core.incidents.models import Action, Episode, Override, Standing, TimelineEntry

# Of two evaluators that find the same trip, the second waits for the first one's commit and opens nothing:
# the number is taken, or an episode is open, or its cool-down runs.
_OPEN = text("""
insert into incident_episodes (id, rule, scope, number, mode, cause, since, tripped_at, numbers)
select :id, :rule, :scope,
       1 + coalesce((select max(number) from incident_episodes where rule = :rule and scope = :scope), 0),
       :mode, :cause, :since, :tripped_at, cast(:numbers as jsonb)
where not exists (
    select from incident_episodes where rule = :rule and scope = :scope
    and (resolved_at is null or tripped_at > :cooled_down)
)
on conflict do nothing returning number
""")


def put_standing(session: Session, values: Mapping[str, Any]) -> None:
    row = upsert(Standing).values(**values)
    kept = {name: row.excluded[name] for name in values if name not in ("rule", "scope")}
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Standing.rule, Standing.scope],
            set_=kept,
            where=Standing.observed_until <= row.excluded.observed_until,
        )
    )


def standings(session: Session) -> Mapping[tuple[str, str], Standing]:
    found = session.scalars(
        select(Standing).order_by(Standing.rule, Standing.scope).execution_options(populate_existing=True)
    )
    return {(one.rule, one.scope): one for one in found}


def add_override(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(upsert(Override).values(**values))


def overrides(session: Session, now: datetime) -> Sequence[Override]:
    """Those that hold, oldest first."""
    query = select(Override).where(Override.expires_at > now).order_by(Override.created_at)
    return session.scalars(query).all()


def open_episode(session: Session, values: Mapping[str, Any]) -> int | None:
    """Its number; None where it is latched or cooling down."""
    return session.scalar(_OPEN, dict(values))


def episode(session: Session, episode_id: str, *, lock: bool = False) -> Episode | None:
    return session.get(Episode, episode_id, with_for_update=lock or None, populate_existing=True)


def episodes(session: Session, limit: int) -> Sequence[Episode]:
    """Newest first."""
    query = select(Episode).order_by(Episode.tripped_at.desc(), Episode.id).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def open_episodes(session: Session) -> Sequence[Episode]:
    """Locked, oldest first; those that another evaluator looks at are left to it."""
    query = select(Episode).where(Episode.resolved_at.is_(None)).order_by(Episode.tripped_at, Episode.id)
    locked = query.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return session.scalars(locked).all()


def latched(session: Session) -> set[tuple[str, str]]:
    """(rule, scope) of the open episodes."""
    rows = session.execute(select(Episode.rule, Episode.scope).where(Episode.resolved_at.is_(None)))
    return {(row.rule, row.scope) for row in rows}


def add_action(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(upsert(Action).values(**values).on_conflict_do_nothing())


def actions(session: Session, episode_id: str) -> Sequence[Action]:
    query = select(Action).where(Action.episode_id == episode_id).order_by(Action.place)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def claim_action(
    session: Session, claim_id: str, wall: datetime, until: datetime, but: Collection[str] = ()
) -> Action | None:
    """One that is to be done, or was begun by somebody who never came back; none of `but`."""
    begun = (Action.state == "acting") & (Action.claimed_until < wall)
    query = (
        select(Action)
        .where(or_(Action.state == "planned", begun), Action.id.not_in(but))
        .order_by(Action.place, Action.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    found = session.scalars(query).one_or_none()
    if found is not None:
        found.state, found.claim_id, found.claimed_until = "acting", claim_id, until
        found.attempts += 1
        session.flush()
    return found


def acted(session: Session) -> Sequence[Action]:
    """Those whose effect is still to be seen."""
    query = (
        select(Action)
        .join(Episode, Episode.id == Action.episode_id)
        .where(Action.state.in_(("acted", "unobserved")), Episode.resolved_at.is_(None))
    )
    return session.scalars(query.order_by(Action.id).execution_options(populate_existing=True)).all()


def settle_action(session: Session, action_id: str, claim_id: str | None, values: Mapping[str, Any]) -> bool:
    """False when the claim has passed to another."""
    row = update(Action).where(Action.id == action_id).values(**values)
    if claim_id is not None:
        row = row.where(Action.claim_id == claim_id, Action.state == "acting")
    return session.execute(row.returning(Action.id)).first() is not None


def observe_action(session: Session, action_id: str, values: Mapping[str, Any]) -> bool:
    """Once: False when another observer was first."""
    row = update(Action).where(Action.id == action_id, Action.observed_at.is_(None)).values(**values)
    return session.execute(row.returning(Action.id)).first() is not None


def note(session: Session, episode_id: str, at: datetime, kind: str, actor: str, said: str) -> None:
    session.execute(
        upsert(TimelineEntry).values(episode_id=episode_id, at=at, kind=kind, actor=actor, said=said)
    )


def timeline(session: Session, episode_id: str) -> Sequence[TimelineEntry]:
    query = select(TimelineEntry).where(TimelineEntry.episode_id == episode_id)
    return session.scalars(query.order_by(TimelineEntry.at, TimelineEntry.id)).all()
