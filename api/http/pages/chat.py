"""The founder's conversations: the list, and one of them. Reading and writing work without scripts."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.core.access import holders
from api.core.chat import rules
from api.core.chat import service as chat
from api.core.errors import Refused
from api.core.founders.service import FounderView
from api.db.engine import Session
from api.http import conversations
from api.http.chat_shapes import MOST_SEQ
from api.http.deps import At, SignedIn
from api.http.pages import spaces
from api.http.pages.rendering import render
from api.http.pages.spaces import Choice, Slug
from api.http.services import Services

router = APIRouter(prefix="/app/chat", include_in_schema=False)
_LISTED = 50
_SHOWN = 50
Cursor = Annotated[str | None, Query(max_length=500)]
Before = Annotated[int | None, Query(ge=1, le=MOST_SEQ)]
ClientId = Annotated[str, Form(pattern=rules.CLIENT_ID)]


@router.get("")
def chats(request: Request, at: At, who: SignedIn, slug: Slug = None, cursor: Cursor = None) -> Response:
    with at.transaction() as session:
        choice = spaces.choose(session, who, slug)
        if choice.space is None:
            return render(request, "no_space.html", {"who": who}, title="Welcome")
        shown = {"who": who, "thread": None} | _list(session, at, choice, choice.space.id, cursor)
    return render(request, "chat.html", shown, title="Chat")


@router.get("/list")
def chat_list(
    request: Request,
    at: At,
    who: SignedIn,
    slug: Slug = None,
    thread: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The part of the page that refreshes itself."""
    with at.transaction() as session:
        choice = spaces.choose(session, who, slug)
        if choice.space is None:
            return render(request, "no_space.html", {"who": who}, title="Welcome")
        shown = _list(session, at, choice, choice.space.id, None)
    return render(request, "chat_list.html", {**shown, "who": who, "thread_id": thread})


@router.get("/{conversation_id}")
def thread(request: Request, at: At, who: SignedIn, conversation_id: str, before: Before = None) -> Response:
    """What is shown is read."""
    return _thread(request, at, who, conversation_id, before)


@router.post("/{conversation_id}")
def say(
    request: Request,
    at: At,
    who: SignedIn,
    conversation_id: str,
    client_id: ClientId,
    text: Annotated[str, Form()] = "",
) -> Response:
    try:
        with at.transaction() as session:
            own = conversations.find(session, who.id, conversation_id)
            chat.post(session, own.id, "founder", client_id, text, at.clock())
    except Refused as refusal:
        return _thread(request, at, who, conversation_id, None, refusal.message, text)
    return RedirectResponse(f"/app/chat/{conversation_id}#say", 303)


def _thread(
    request: Request,
    at: Services,
    who: FounderView,
    conversation_id: str,
    before: int | None,
    problem: str = "",
    typed: str = "",
) -> Response:
    with at.transaction() as session:
        own = conversations.find(session, who.id, conversation_id)
        page = chat.before(session, own.id, before, _SHOWN)
        if page.messages:
            chat.mark_read(session, own.id, "founder", page.messages[-1].seq)
        choice = spaces.holding(session, who, own.space_id)
        shown = _list(session, at, choice, own.space_id, None) | {
            "who": who,
            "thread": own,
            "thread_id": own.id,
            "person": holders.people(session, [own.entry_id])[own.entry_id],
            "page": page,
            "before": before,
            "client_id": secrets.token_urlsafe(12),
            "problem": problem,
            "typed": typed,
        }
    return render(request, "chat.html", shown, title="Chat", status=422 if problem else 200)


def _list(
    session: Session, at: Services, choice: Choice, space_id: str, cursor: str | None
) -> dict[str, object]:
    return {
        "spaces": choice.spaces,
        "space": choice.space,
        "listed": conversations.page(session, space_id, cursor, _LISTED),
        "now": at.clock(),
        "thread_id": "",
    }
