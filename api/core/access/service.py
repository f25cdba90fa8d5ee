"""Reading spaces and integrations, as their owner sees them. Nobody learns that another's space exists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.access import entry_queries, grant_queries, milestones, queries
from api.core.access.models import Integration, Space
from api.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class SpaceSummary:
    """`entries` by status and `total`; `grants` by `total` and `active`."""

    id: str
    slug: str
    name: str
    created_at: datetime
    entries: Mapping[str, int]
    grants: Mapping[str, int]
    integrations: Sequence[Integration]

    @property
    def integration_ids(self) -> list[str]:
        return [integration.id for integration in self.integrations]


@dataclass(frozen=True, slots=True)
class SpaceRef:
    """A space with its integrations, oldest first, and nothing counted."""

    id: str
    slug: str
    name: str
    integrations: Sequence[Integration]

    @property
    def integration_ids(self) -> list[str]:
        return [integration.id for integration in self.integrations]


@dataclass(frozen=True, slots=True)
class Standing:
    """How many wait, and how many have access."""

    waiting: int
    access: int


def spaces_of(session: Session, founder_id: str) -> Sequence[Space]:
    """Oldest first."""
    return queries.spaces_of(session, founder_id)


def space(session: Session, founder_id: str, slug: str) -> SpaceSummary:
    """Raises `NotFound`."""
    return _summary(session, _owned(session, founder_id, slug))


def space_id(session: Session, founder_id: str, slug: str) -> str:
    """Raises `NotFound`."""
    return _owned(session, founder_id, slug).id


def space_ref(session: Session, founder_id: str, slug: str) -> SpaceRef:
    """Raises `NotFound`."""
    return _ref(session, _owned(session, founder_id, slug))


def public_space(session: Session, slug: str) -> SpaceRef | None:
    """The space that the homepage is for, if it is there."""
    found = queries.space_by_slug(session, slug)
    return _ref(session, found) if found else None


def standing(session: Session, space: SpaceRef) -> Standing:
    """What anybody may know."""
    access = grant_queries.grant_counts(session, space.integration_ids)[1]
    return Standing(entry_queries.waiting(session, space.id), access)


def integration(session: Session, founder_id: str, integration_id: str) -> Integration:
    """Raises `NotFound`."""
    found = queries.integration(session, integration_id)
    if found is None or queries.owner_of(session, found.space_id) != founder_id:
        raise NotFound(
            f"There is no integration {integration_id!r}.", fix="Check the id, and who is signed in."
        )
    return found


def owns(session: Session, founder_id: str, space_id: str) -> bool:
    return queries.owner_of(session, space_id) == founder_id


def space_name(session: Session, space_id: str) -> str:
    """Raises `NotFound`."""
    found = queries.space(session, space_id)
    if found is None:
        raise NotFound(f"There is no space {space_id!r}.")
    return found.name


def origins(session: Session, integration_id: str) -> Sequence[str]:
    """The registered ones; none for an integration that nobody knows."""
    found = queries.integration(session, integration_id)
    return found.origins if found else ()


def called(session: Session, integration_id: str, now: datetime) -> Integration:
    """The integration that an authenticated call is from; the first call is remembered."""
    found = queries.integration(session, integration_id)
    if found is None:
        raise NotFound(f"There is no integration {integration_id!r}.")
    if found.first_call_at is None:
        queries.note_first_call(session, integration_id, now)
        milestones.reached(session, integration_id, "first_call", now)
    return found


def joined_per_day(
    session: Session, space_id: str, now: datetime, days: int
) -> Sequence[tuple[datetime, int]]:
    """(midnight UTC, entries) of the last `days` days, oldest first, zeros included."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=days - 1)
    counted = dict(entry_queries.joined_per_day(session, space_id, first))
    return [(day, counted.get(day, 0)) for day in (first + timedelta(days=n) for n in range(days))]


def _ref(session: Session, found: Space) -> SpaceRef:
    return SpaceRef(found.id, found.slug, found.name, queries.integrations_of(session, found.id))


def _owned(session: Session, founder_id: str, slug: str) -> Space:
    found = queries.space_by_slug(session, slug)
    if found is None or found.owner_id != founder_id:
        raise NotFound(f"There is no space {slug!r}.", fix="Check the slug, and who is signed in.")
    return found


def _summary(session: Session, found: Space) -> SpaceSummary:
    integrations = queries.integrations_of(session, found.id)
    by_status = entry_queries.entry_counts(session, found.id)
    total, active = grant_queries.grant_counts(session, [integration.id for integration in integrations])
    entries = {status: by_status.get(status, 0) for status in ("waiting", "accepted", "rejected")}
    return SpaceSummary(
        id=found.id,
        slug=found.slug,
        name=found.name,
        created_at=found.created_at,
        entries={"total": sum(entries.values()), **entries},
        grants={"total": total, "active": active},
        integrations=integrations,
    )
