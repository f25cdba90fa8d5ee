"""Which of the founder's spaces a tool shows: the one that the address names, or the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from api.core.access import service as access
from api.core.access.service import SpaceRef
from api.core.founders.service import FounderView
from api.db.engine import Session

Slug = Annotated[str | None, Query(alias="space", max_length=100)]


@dataclass(frozen=True, slots=True)
class Choice:
    """`spaces`: (slug, name) of all that the founder owns; `space` is None when there are none."""

    spaces: Sequence[tuple[str, str]]
    space: SpaceRef | None


def choose(session: Session, who: FounderView, slug: str | None) -> Choice:
    """Raises `NotFound` for another founder's space."""
    mine = access.spaces_of(session, who.id)
    wanted = slug or (mine[0].slug if mine else None)
    shown = access.space_ref(session, who.id, wanted) if wanted else None
    return Choice([(one.slug, one.name) for one in mine], shown)


def holding(session: Session, who: FounderView, space_id: str) -> Choice:
    """The space with that id, which has to be the founder's."""
    mine = access.spaces_of(session, who.id)
    slug = next(one.slug for one in mine if one.id == space_id)
    return choose(session, who, slug)
