"""SQL of what is begun: visits to the list, and the codes that are exchanged."""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from api.core.access.models import AccessCode, Entry, Integration, Space, WaitlistStart


def add_start(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(WaitlistStart).values(**values))


def start_by_token(
    session: Session, token_sha256: bytes
) -> tuple[WaitlistStart, Entry, Integration, str] | None:
    """With its entry, its integration and the name of its space."""
    row = session.execute(
        select(WaitlistStart, Entry, Integration, Space.name)
        .join(Entry, Entry.id == WaitlistStart.entry_id)
        .join(Integration, Integration.id == WaitlistStart.integration_id)
        .join(Space, Space.id == Integration.space_id)
        .where(WaitlistStart.token_sha256 == token_sha256)
        .execution_options(populate_existing=True)
    ).first()
    return (row[0], row[1], row[2], row[3]) if row else None


def forget_starts(session: Session, before: datetime) -> int:
    gone = session.scalars(
        delete(WaitlistStart).where(WaitlistStart.expires_at < before).returning(WaitlistStart.id)
    )
    return len(gone.all())


def add_code(session: Session, values: dict[str, object]) -> None:
    session.execute(insert(AccessCode).values(**values))


def forget_codes(session: Session, before: datetime) -> int:
    gone = session.scalars(
        delete(AccessCode).where(AccessCode.expires_at < before).returning(AccessCode.entry_id)
    )
    return len(gone.all())
