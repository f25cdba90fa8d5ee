"""The waiting list: who stands where, found again by an exact word, accepted and rejected one by one or many.

Every form works as a plain form: an act leads back to the list with what became of it in the address. With
scripts, htmx puts the answer's `#list` in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.core.access import entries
from api.core.access.deciding import MOST_AT_ONCE
from api.core.access.entries import EntryPage, Status
from api.core.access.waitlist import Action
from api.core.idempotency.service import Call
from api.db.engine import Session
from api.http import cursors
from api.http.deps import At, SignedIn
from api.http.entries import BulkIn, BulkOut, bulk
from api.http.idempotency import Answer, Once
from api.http.pages import spaces
from api.http.pages.rendering import render
from api.http.pages.spaces import Slug

router = APIRouter(prefix="/app/waitlist", include_in_schema=False)
TABS = (("waiting", "Waiting"), ("accepted", "Accepted"), ("rejected", "Rejected"), ("all", "All"))
_SHOWN = 50
_ID_LENGTH = 64
Shown = Annotated[Literal["waiting", "accepted", "rejected", "all"], Query()]
Count = Annotated[int, Query(ge=0, le=MOST_AT_ONCE)]
Token = Annotated[str, Form(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the last act: so many decided, so many that somebody else had decided before."""

    action: Action | None
    decided: int
    skipped: int


@router.get("")
def page(
    request: Request,
    at: At,
    who: SignedIn,
    slug: Slug = None,
    status: Shown = "waiting",
    q: Annotated[str, Query(max_length=250)] = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    did: Action | None = None,
    decided: Count = 0,
    skipped: Count = 0,
) -> Response:
    after = cursors.decode(cursor) if cursor else None
    chosen: Status | None = None if status == "all" else status
    words = q.strip()
    with at.transaction() as session:
        choice = spaces.choose(session, who, slug)
        space = choice.space
        if space is None:
            return render(request, "no_space.html", {"who": who}, title="Welcome")
        if words:
            found = EntryPage(entries.search(session, at.vault, space.id, words, _SHOWN), None)
        else:
            found = entries.page(session, at.vault, space.id, chosen, after, _SHOWN)
        waiting = entries.waiting(session, space.id)
    here = {"space": space.slug, "status": status} | ({"q": words} if words else {})
    shown = {
        "who": who,
        "spaces": choice.spaces,
        "space": space,
        "tabs": TABS,
        "status": status,
        "q": words,
        "page": found,
        "waiting": waiting,
        "paged": cursor is not None,
        "here": urlencode(here),
        "cursor": cursor or "",
        "next": urlencode(here | {"cursor": cursors.encode(found.next_after)}) if found.next_after else "",
        "said": Outcome(did, decided, skipped),
        "paused": at.flags.onboarding_paused(space.id),
        "token": token_urlsafe(16),
        "now": at.clock(),
    }
    return render(request, "waitlist.html", shown, title="Waiting list")


@router.post("/decide")
def decide(
    request: Request,
    at: At,
    who: SignedIn,
    token: Token,
    slug: Slug = None,
    status: Shown = "waiting",
    q: Annotated[str, Query(max_length=250)] = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    accept: Annotated[str, Form(max_length=64)] = "",
    reject: Annotated[str, Form(max_length=64)] = "",
    action: Annotated[Action, Form()] = "accept",
    ids: Annotated[list[str] | None, Form(max_length=_SHOWN)] = None,
    first_n: Annotated[int | None, Form(ge=1, le=MOST_AT_ONCE)] = None,
) -> Response:
    """One row's button (`accept` or `reject` is its id), the ticked ones, or the next `first_n` in line.

    The form's token makes a second click do nothing more."""
    one = accept or reject
    wanted: Action = "reject" if reject else "accept" if accept else action
    chosen = [known for known in ([one] if one else ids or []) if 0 < len(known) <= _ID_LENGTH]
    back: Mapping[str, object] = {"space": slug, "status": status, "q": q, "cursor": cursor}
    if not chosen and first_n is None:
        return _to_list(back)
    with at.transaction() as session:
        space = spaces.choose(session, who, slug).space
    if space is None:
        return _to_list(back)
    asked = BulkIn(action=wanted, ids=chosen or None, first_n=None if chosen else first_n)

    def act(session: Session) -> Answer:
        return 200, bulk(session, at, who, space.id, asked)

    call = Call.of(who.id, f"POST {request.url.path}", token, asked.model_dump_json().encode())
    made = BulkOut.model_validate_json(bytes(Once(at, call).answer(act).body))
    skipped = sum(one.result in {"conflict", "unchanged"} for one in made.data)
    return _to_list({**back, "did": wanted, "decided": made.decided, "skipped": skipped})


def _to_list(query: Mapping[str, object]) -> Response:
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return RedirectResponse(f"/app/waitlist?{urlencode(given)}", 303)
