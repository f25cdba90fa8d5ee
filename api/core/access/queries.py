"""SQL of spaces and integrations."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from api.core.access.models import Integration, Milestone, Space


def spaces_of(session: Session, owner_id: str) -> Sequence[Space]:
    return session.scalars(select(Space).where(Space.owner_id == owner_id).order_by(Space.created_at)).all()


def space(session: Session, space_id: str) -> Space | None:
    return session.get(Space, space_id)


def space_by_slug(session: Session, slug: str) -> Space | None:
    return session.scalar(select(Space).where(Space.slug == slug))


def integrations_of(session: Session, space_id: str) -> Sequence[Integration]:
    return session.scalars(
        select(Integration)
        .where(Integration.space_id == space_id)
        .order_by(Integration.created_at, Integration.id)
    ).all()


def integration(session: Session, integration_id: str) -> Integration | None:
    return session.get(Integration, integration_id)


def add_integration(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(Integration).values(**values))


def change_integration(session: Session, integration_id: str, values: dict[str, object]) -> None:
    session.execute(update(Integration).where(Integration.id == integration_id).values(**values))


def owner_of(session: Session, space_id: str) -> str | None:
    return session.scalar(select(Space.owner_id).where(Space.id == space_id))


def integration_names(session: Session, integration_ids: Sequence[str]) -> dict[str, str]:
    rows = session.execute(
        select(Integration.id, Integration.name).where(Integration.id.in_(integration_ids))
    )
    return {row[0]: row[1] for row in rows}


def note_first_call(session: Session, integration_id: str, now: datetime) -> None:
    session.execute(
        update(Integration)
        .where(Integration.id == integration_id, Integration.first_call_at.is_(None))
        .values(first_call_at=now)
    )


def note_milestone(session: Session, integration_id: str, key: str, now: datetime) -> None:
    session.execute(
        upsert(Milestone)
        .values(integration_id=integration_id, key=key, reached_at=now)
        .on_conflict_do_nothing()
    )


def milestones(session: Session, integration_id: str) -> Mapping[str, datetime]:
    rows = session.execute(
        select(Milestone.key, Milestone.reached_at).where(Milestone.integration_id == integration_id)
    )
    return {row[0]: row[1] for row in rows}
