"""Integrate: a partner's set-up as a checklist, its addresses, snippets, and keys that rotate by overlap.

Every form works as a plain form. With scripts, htmx sends it and puts the answer's `#integration` in place.
A key or secret is in the page that answers its making, and in no other.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from secrets import token_urlsafe
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.core.access import integrations
from api.core.access import service as access
from api.core.access.integrations import AddressKind, Change
from api.core.access.models import Integration
from api.core.errors import Conflict, FirstUserError, ProviderError, Refused
from api.core.founders.service import FounderView
from api.core.idempotency.service import Call
from api.db.engine import Session
from api.http import integration_changes, integration_setup
from api.http.deps import At, RecentlyProven, SignedIn
from api.http.idempotency import Answer, Once
from api.http.integration_shapes import RotateIn
from api.http.pages import credentials, snippets, spaces
from api.http.pages.rendering import render
from api.http.pages.spaces import Slug
from api.http.services import Services

router = APIRouter(prefix="/app/integrate", include_in_schema=False)
GRACES = (
    (86400, "for 24 more hours"),
    (3600, "for one more hour"),
    (259200, "for 3 more days"),
    (604800, "for 7 more days"),
    (0, "no longer: it ends now"),
)
Text = Annotated[str, Form(max_length=2000)]
Token = Annotated[str, Form(min_length=1, max_length=100)]
Grace = Annotated[int, Form()]
Act = Callable[[Session, Integration], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Said:
    """What the answer to a form says: a refusal next to the form `form` with what was `typed`, or something
    new that is shown once, with what was `tried` with it."""

    form: str = ""
    problem: FirstUserError | None = None
    typed: str = ""
    new_key: str = ""
    new_secret: str = ""
    tried: Mapping[str, Any] | None = None

    @property
    def status(self) -> int:
        if self.problem is None:
            return 200
        return 409 if isinstance(self.problem, Conflict) else 422


@router.get("")
def first(request: Request, at: At, who: SignedIn, slug: Slug = None) -> Response:
    """The space's first integration."""
    return _first(request, at, who, slug)


@router.post("/new")
def create(
    request: Request, at: At, who: RecentlyProven, token: Token, name: Text = "", slug: Slug = None
) -> Response:
    """An integration, and its first key."""
    with at.transaction() as session:
        space = spaces.choose(session, who, slug).space
    if space is None:
        return _first(request, at, who, slug)
    act = partial(integration_changes.creating, at=at, who=who, slug=space.slug, name=name)
    try:
        made = _once(request, at, who, token, act)
    except (Refused, Conflict) as error:
        return _first(request, at, who, slug, Said("new", error, name))
    integration_id = made["integration"]["id"]
    answer = _again(request, at, who, integration_id, Said(new_key=made["key"]))
    answer.headers["HX-Push-Url"] = f"/app/integrate/{integration_id}"
    return answer


@router.get("/{integration_id}")
def page(request: Request, at: At, who: SignedIn, integration_id: str) -> Response:
    with at.transaction() as session:
        return _page(request, at, who, session, integration_id)


@router.get("/{integration_id}/checklist")
def checklist(request: Request, at: At, who: SignedIn, integration_id: str) -> Response:
    """The part of the page that refreshes itself until all is green."""
    with at.transaction() as session:
        setup = integration_setup.load(session, at, who.id, integration_id)
    return render(request, "integrate_checklist.html", {"setup": setup})


@router.post("/{integration_id}/name")
def rename(request: Request, at: At, who: SignedIn, integration_id: str, name: Text = "") -> Response:
    act = partial(integrations.change, asked=Change(name=name))
    return _apply(request, at, who, integration_id, act, "name", name)


@router.post("/{integration_id}/webhook")
def webhook(request: Request, at: At, who: SignedIn, integration_id: str, address: Text = "") -> Response:
    act = partial(integrations.change, asked=Change(webhook_url=address))
    return _apply(request, at, who, integration_id, act, "webhook", address)


@router.post("/{integration_id}/{kind}/add")
def add_address(
    request: Request, at: At, who: SignedIn, integration_id: str, kind: AddressKind, address: Text = ""
) -> Response:
    act = partial(integrations.add_address, kind=kind, text=address)
    return _apply(request, at, who, integration_id, act, kind, address)


@router.post("/{integration_id}/{kind}/remove")
def remove_address(
    request: Request, at: At, who: SignedIn, integration_id: str, kind: AddressKind, address: Text = ""
) -> Response:
    act = partial(integrations.remove_address, kind=kind, text=address)
    return _apply(request, at, who, integration_id, act, kind, address)


@router.post("/{integration_id}/keys/rotate")
def rotate_key(
    request: Request,
    at: At,
    who: RecentlyProven,
    integration_id: str,
    token: Token,
    grace: Grace = 86400,
    force: Annotated[bool, Form()] = False,
) -> Response:
    return _rotate(request, at, who, integration_id, "key", token, grace, force)


@router.post("/{integration_id}/secrets/rotate")
def rotate_secret(
    request: Request,
    at: At,
    who: RecentlyProven,
    integration_id: str,
    token: Token,
    grace: Grace = 86400,
    force: Annotated[bool, Form()] = False,
) -> Response:
    return _rotate(request, at, who, integration_id, "secret", token, grace, force)


@router.post("/{integration_id}/secrets/try")
def try_secret(request: Request, at: At, who: SignedIn, integration_id: str) -> Response:
    try:
        integration_changes.trying_secret(at, who, integration_id)
    except (Conflict, ProviderError) as error:
        return _again(request, at, who, integration_id, Said("try", error))
    return _back(integration_id)


@router.post("/{integration_id}/keys/{key_id}/revoke")
def revoke_key(request: Request, at: At, who: RecentlyProven, integration_id: str, key_id: str) -> Response:
    try:
        integration_changes.revoke(at, who, integration_id, key_id)
    except Conflict as error:
        return _again(request, at, who, integration_id, Said("key", error))
    return _back(integration_id)


@router.post("/{integration_id}/secrets/{secret_id}/revoke")
def revoke_secret(
    request: Request, at: At, who: RecentlyProven, integration_id: str, secret_id: str
) -> Response:
    try:
        integration_changes.revoke_signing(at, who, integration_id, secret_id)
    except Conflict as error:
        return _again(request, at, who, integration_id, Said("secret", error))
    return _back(integration_id)


def _apply(
    request: Request, at: Services, who: FounderView, integration_id: str, act: Act, form: str, typed: str
) -> Response:
    """Back to the page when it is done; the page with the refusal next to its form when it is not."""
    try:
        with at.transaction() as session:
            found = access.integration(session, who.id, integration_id)
            integration_changes.note(session, at, who, integration_id, act(session, found))
    except (Refused, Conflict) as error:
        return _again(request, at, who, integration_id, Said(form, error, typed))
    return _back(integration_id)


def _rotate(
    request: Request,
    at: Services,
    who: FounderView,
    integration_id: str,
    form: Literal["key", "secret"],
    token: str,
    grace: int,
    force: bool,
) -> Response:
    """The page with the new key or secret in it; or with why there is none."""
    if grace not in dict(GRACES):
        return _again(request, at, who, integration_id, Said(form, Refused("Choose one of the times.")))
    rotating = integration_changes.rotating_key if form == "key" else integration_changes.rotating_secret
    asked = RotateIn(grace_seconds=grace, force=force)
    try:
        made = _once_after(request, at, who, token, partial(rotating, at, who, integration_id, asked))
    except Conflict as error:
        return _again(request, at, who, integration_id, Said(form, error))
    tried = made["rotation"]
    said = (
        Said(new_key=made["key"], tried=tried)
        if form == "key"
        else Said(new_secret=made["secret"], tried=tried)
    )
    return _again(request, at, who, integration_id, said)


def _once(
    request: Request, at: Services, who: FounderView, token: str, act: Callable[[Session], Answer]
) -> dict[str, Any]:
    """What the act made. The form's token makes a second click show what the first has made."""
    call = Call.of(who.id, f"POST {request.url.path}", token, b"")
    return json.loads(bytes(Once(at, call).answer(act).body))


def _once_after(
    request: Request, at: Services, who: FounderView, token: str, act: Callable[[], Answer]
) -> dict[str, Any]:
    """The same for what calls on others while it acts."""
    call = Call.of(who.id, f"POST {request.url.path}", token, b"")
    return json.loads(bytes(Once(at, call).answer_after(act).body))


def _back(integration_id: str) -> Response:
    return RedirectResponse(f"/app/integrate/{integration_id}", 303)


def _again(request: Request, at: Services, who: FounderView, integration_id: str, said: Said) -> Response:
    with at.transaction() as session:
        return _page(request, at, who, session, integration_id, said)


def _page(
    request: Request,
    at: Services,
    who: FounderView,
    session: Session,
    integration_id: str,
    said: Said = Said(),
) -> Response:
    """Raises `NotFound`."""
    setup = integration_setup.load(session, at, who.id, integration_id)
    choice = spaces.holding(session, who, setup.integration.space_id)
    base_url = at.settings.platform.public_app_url.rstrip("/")
    shown = {
        "who": who,
        "spaces": choice.spaces,
        "space": choice.space,
        "setup": setup,
        "one": setup.integration,
        "said": said,
        "token": token_urlsafe(16),
        "graces": GRACES,
        "keys": credentials.of_keys(setup.keys, at.clock()),
        "secrets": credentials.of_secrets(setup.secrets, at.clock()),
        "waiting": {
            kind: at.rotations.waiting(f"{name}:{integration_id}")
            for kind, name in (("key", "api_key"), ("secret", "webhook_secret"))
        },
        "overlap": credentials.overlap(at, f"webhook_secret:{integration_id}"),
        "snippets": snippets.of(base_url, setup.integration),
        "try_key": snippets.verify_key(base_url, setup.integration, said.new_key),
        "now": at.clock(),
    }
    return render(request, "integrate.html", shown, title="Integrate", status=said.status)


def _first(
    request: Request, at: Services, who: FounderView, slug: str | None, said: Said = Said()
) -> Response:
    """The space's first integration, or how to make one."""
    with at.transaction() as session:
        choice = spaces.choose(session, who, slug)
        if choice.space is None:
            return render(request, "no_space.html", {"who": who}, title="Welcome")
        if choice.space.integrations:
            return _page(request, at, who, session, choice.space.integrations[0].id, said)
    shown = {
        "who": who,
        "spaces": choice.spaces,
        "space": choice.space,
        "said": said,
        "token": token_urlsafe(16),
    }
    return render(request, "integrate_none.html", shown, title="Integrate", status=said.status)
