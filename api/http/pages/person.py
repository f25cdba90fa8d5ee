"""A person's page: what is kept of them, masked; the whole of it as a file; and its end."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.core.founders.service import FounderView
from api.core.privacy import service as privacy
from api.http import people
from api.http.deps import At, RecentlyProven, SignedIn
from api.http.pages.rendering import render
from api.http.people import UserId
from api.http.services import Services

router = APIRouter(prefix="/app/users", include_in_schema=False)
NAMES = {
    "waitlist_visits": "Visits to the waiting list",
    "access_codes": "Access codes",
    "grants": "Grants",
    "presence": "Presence, newest beat",
    "conversations": "Conversations",
    "messages": "Messages",
    "login_codes": "Login codes asked for",
    "webhooks": "Webhooks about them",
}


@router.get("/{user_id}")
def person(request: Request, at: At, who: SignedIn, user_id: UserId) -> Response:
    return _page(request, at, who, user_id)


@router.get("/{user_id}/export")
def export(at: At, who: RecentlyProven, user_id: UserId) -> Response:
    return people.download(people.document(at, who.id, user_id))


@router.post("/{user_id}/delete")
def delete(
    request: Request,
    at: At,
    who: RecentlyProven,
    user_id: UserId,
    confirm: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    if confirm != "yes":
        problem = "Confirm that it is meant: nobody can bring the person back."
        return _page(request, at, who, user_id, status=422, problem=problem)
    people.forget(at, who.id, user_id)
    return RedirectResponse(f"/app/users/{user_id}", 303)


def _page(
    request: Request, at: Services, who: FounderView, user_id: str, *, status: int = 200, problem: str = ""
) -> Response:
    with at.transaction() as session:
        kept = privacy.look(session, at.vault, who.id, user_id)
    counts = [(NAMES[name], number) for name, number in kept.counts.items()]
    shown = {"who": who, "kept": kept, "counts": counts, "problem": problem, "now": at.clock()}
    return render(request, "person.html", shown, status=status, title="Person")
