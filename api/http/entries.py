"""The founders' API of the waiting list: entries, and what is decided on them."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator

from api.core.access import deciding, entries
from api.core.access import service as access
from api.core.access.deciding import MOST_AT_ONCE, Outcome, Result
from api.core.access.entries import EntryView, Status
from api.core.access.waitlist import Action
from api.core.founders.service import FounderView
from api.db.engine import Session
from api.http import cursors
from api.http.deps import At, SignedIn
from api.http.idempotency import IDEMPOTENCY_CODES, Answer, FounderOnce
from api.http.problems import FOUNDER_CODES, documented
from api.http.services import Services
from api.http.shapes import Moment

router = APIRouter(prefix="/api/founder/v1", tags=["founder"], responses=documented(*FOUNDER_CODES))
_DECIDING = documented(*FOUNDER_CODES, "foreign_origin", "already_decided")
_BULK = documented(*FOUNDER_CODES, "foreign_origin", "idempotency_key_required", *IDEMPOTENCY_CODES)


class EntryOut(BaseModel):
    """`position`: the place in line, from 1; null for one who does not wait."""

    id: str
    object: Literal["entry"] = "entry"
    user_id: str
    external_user_id: str
    status: Status
    position: int | None
    referral_code: str
    referrals: int
    created_at: Moment
    decided_at: Moment | None
    email_masked: str | None
    phone_masked: str | None

    @classmethod
    def of(cls, view: EntryView) -> "EntryOut":
        return cls.model_validate(view, from_attributes=True)


class EntriesOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[EntryOut]
    has_more: bool
    next_cursor: str | None


class BulkIn(BaseModel):
    """Either `ids`, or `first_n`: the next ones in line."""

    action: Action
    ids: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = Field(
        None, min_length=1, max_length=MOST_AT_ONCE
    )
    first_n: int | None = Field(None, ge=1, le=MOST_AT_ONCE)

    @model_validator(mode="after")
    def _one_of_both(self) -> "BulkIn":
        if (self.ids is None) == (self.first_n is None):
            raise ValueError("either ids or first_n")
        return self


class OutcomeOut(BaseModel):
    id: str
    result: Result


class BulkOut(BaseModel):
    """`decided` counts what this call changed. `unchanged`: decided so before; `conflict`: the other way."""

    object: Literal["list"] = "list"
    action: Action
    decided: int
    data: list[OutcomeOut]


@router.get("/spaces/{slug}/entries", responses=documented(*FOUNDER_CODES, "cursor_invalid"))
def list_entries(
    at: At,
    who: SignedIn,
    slug: str,
    status: Annotated[Status | None, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> EntriesOut:
    """Of one status: in the order of the line. Of all: newest first."""
    after = cursors.decode(cursor) if cursor else None
    with at.transaction() as session:
        space_id = access.space_id(session, who.id, slug)
        page = entries.page(session, at.vault, space_id, status, after, limit)
    return EntriesOut(
        data=[EntryOut.of(view) for view in page.entries],
        has_more=page.next_after is not None,
        next_cursor=cursors.encode(page.next_after),
    )


@router.get("/entries/{entry_id}")
def get_entry(at: At, who: SignedIn, entry_id: str) -> EntryOut:
    with at.transaction() as session:
        return EntryOut.of(entries.view(session, at.vault, who.id, entry_id))


@router.post("/entries/{entry_id}/accept", responses=_DECIDING)
def accept_entry(at: At, who: SignedIn, entry_id: str) -> EntryOut:
    """The visitor gets a code from now on. Accepting again changes nothing."""
    return _decided(at, who, entry_id, "accept")


@router.post("/entries/{entry_id}/reject", responses=_DECIDING)
def reject_entry(at: At, who: SignedIn, entry_id: str) -> EntryOut:
    """Rejecting again changes nothing."""
    return _decided(at, who, entry_id, "reject")


@router.post("/spaces/{slug}/entries/bulk", response_model=BulkOut, responses=_BULK)
def decide_bulk(at: At, who: SignedIn, slug: str, body: BulkIn, once: FounderOnce) -> Response:
    """At most 1,000 at a time; says for each id what became of it."""

    def act(session: Session) -> Answer:
        return 200, bulk(session, at, who, access.space_id(session, who.id, slug), body)

    return once.answer(act)


def bulk(session: Session, at: Services, who: FounderView, space_id: str, asked: BulkIn) -> BulkOut:
    """Decide as asked, in a space that is the founder's."""
    outcomes = _outcomes(session, at, who, space_id, asked)
    decided = sum(outcome.result == "decided" for outcome in outcomes)
    data = [OutcomeOut(id=outcome.id, result=outcome.result) for outcome in outcomes]
    return BulkOut(action=asked.action, decided=decided, data=data)


def _decided(at: Services, who: FounderView, entry_id: str, action: Action) -> EntryOut:
    with at.transaction() as session:
        deciding.decide(session, who.id, entry_id, action, at.clock())
        return EntryOut.of(entries.view(session, at.vault, who.id, entry_id))


def _outcomes(
    session: Session, at: Services, who: FounderView, space_id: str, body: BulkIn
) -> Sequence[Outcome]:
    if body.ids is not None:
        return deciding.decide_many(session, who.id, space_id, body.action, body.ids, at.clock())
    return deciding.decide_first(session, who.id, space_id, body.action, body.first_n or 0, at.clock())
