"""The homepage of the space VITE_HOMEPAGE_SPACE_SLUG, and joining its waiting list from there by e-mail.

POST /join {email} → a link by e-mail → GET /join?t=… asks once more → POST /join/confirm → the place in line
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import structlog
from fastapi import APIRouter, BackgroundTasks, Form, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from api.core.access import service as access
from api.core.access import starts, waitlist
from api.core.access.models import Integration
from api.core.access.service import SpaceRef
from api.core.access.starts import Way
from api.core.errors import FirstUserError, NotFound, Refused
from api.core.founders import identifiers
from api.core.ports import OutgoingMessage
from api.core.presence import service as presence
from api.db.engine import driver_connection
from api.http import invitations, proof_of_work
from api.http.client_address import client_network
from api.http.deps import At
from api.http.errors import RateLimited
from api.http.pages.rendering import render
from api.http.services import HomeNumbers, Services

router = APIRouter(include_in_schema=False)
STATE = "homepage"
"""The `state` that the partner gets with the code of someone who joined here and not through itself."""
UNPROVEN = "Your browser has to do a small sum first, which needs JavaScript. Send it once more."
Typed = Annotated[str, Form(max_length=320)]
Code = Annotated[str, Form(max_length=64)]
Proof = Annotated[str, Form(max_length=2000)]
Token = Annotated[str, Query(alias="t", max_length=2000)]
_log = structlog.get_logger("api.joining")


@dataclass(frozen=True, slots=True)
class Home:
    """`door` is the integration through which people join, if there is one; `open` to new people, too."""

    space: SpaceRef | None
    door: Integration | None
    paused: bool

    @property
    def open(self) -> bool:
        return self.door is not None and not self.paused


@router.get("/")
def homepage(request: Request, at: At, ref: Annotated[str, Query(max_length=64)] = "") -> Response:
    """`ref`: the invite code that a friend's link brings along."""
    return _page(request, at, _home(at), {"email": "", "referral_code": ref})


@router.post("/join")
def ask(
    request: Request,
    at: At,
    tasks: BackgroundTasks,
    email: Typed = "",
    referral_code: Code = "",
    website: Typed = "",
    altcha: Proof = "",
) -> Response:
    """The same answer for everyone, on the list or not, and for the machines that fill in `website`, which
    no person sees."""
    home, typed = _home(at), {"email": email, "referral_code": referral_code}
    if home.space is None or not home.open:
        return _page(request, at, home, typed, "Nobody new can join just now. Try again later.", 409)
    try:
        address = identifiers.email(email).value
    except Refused as error:
        return _page(request, at, home, typed, f"{error.message} {error.fix}", 422)
    if at.join_needs_proof and not _proven(at, altcha):
        return _page(request, at, home, typed, UNPROVEN, 422)
    wait = at.limits.joining(client_network(request), at.vault.index(address).hex())
    if wait:
        said = f"That were many requests. Try again in {-(-wait // 60)} min."
        return _page(request, at, home, typed, said, 429, {"Retry-After": str(wait)})
    if not website:
        tasks.add_task(_send, at, home.space.name, address, referral_code.strip())
    answer = render(
        request, "join_sent.html", {"space": home.space}, status=202, title="Look into your inbox"
    )
    answer.background = tasks
    return answer


@router.get("/join/challenge")
def challenge(request: Request, at: At) -> Response:
    """What a browser has to solve before its POST is heard. Raises `NotFound` where nothing is asked."""
    if not at.join_needs_proof:
        raise NotFound("No proof of work is asked for here.")
    wait = at.limits.visited(client_network(request))
    if wait:
        raise RateLimited(wait)
    return JSONResponse(at.proofs.challenge())


@router.get("/join")
def confirm_page(request: Request, at: At, token: Token = "") -> Response:
    """A page with a button: programs that look at every link in a mail join nobody."""
    home = _home(at)
    invitation = invitations.unseal(at.vault, token, at.clock())
    shown = {"space": home.space, "token": token if invitation and home.door else ""}
    status = 200 if shown["token"] else 410
    return _private(render(request, "join_confirm.html", shown, status=status, title="Join the waiting list"))


@router.post("/join/confirm")
def confirm(request: Request, at: At, token: Annotated[str, Form(max_length=2000)] = "") -> Response:
    """On to the person's place in line. Raises `NotFound`, and `Conflict` while nobody new joins."""
    home, now = _home(at), at.clock()
    invitation = invitations.unseal(at.vault, token, now)
    if invitation is None or home.door is None:
        raise NotFound("This link has ended.", fix="Ask for a new one on the homepage.")
    way = Way("redirect", home.door.return_urls[0], STATE)
    with at.transaction() as session:
        known = waitlist.user_of_email(session, at.vault, home.door.id, invitation.email, invitations.WEB)
        who = invitation.applicant(at.vault, known)
        entry_id, _ = waitlist.enter(session, at.vault, home.door.id, who, now, paused=home.paused)
        started = starts.start(session, entry_id, home.door.id, way, now)
    return _private(RedirectResponse(f"/w/{started.token}", 303))


def _proven(at: Services, text: str) -> bool:
    name = at.proofs.solved(text)
    if name is not None:
        with at.transaction() as session:
            if proof_of_work.spend(session, at.vault, name, at.clock()):
                return True
    _log.info("no proof of work", spent=name is not None)
    return False


def _home(at: Services) -> Home:
    with at.transaction() as session:
        space = access.public_space(session, at.settings.platform.homepage_space_slug)
    if space is None:
        return Home(None, None, False)
    doors = [one for one in space.integrations if one.return_urls and at.flags.integration_enabled(one.id)]
    return Home(space, doors[0] if doors else None, at.flags.onboarding_paused(space.id))


def _count(at: Services, space: SpaceRef) -> HomeNumbers:
    window = at.settings.service.live_ttl_seconds
    with at.transaction() as session:
        connection, ids = driver_connection(session), space.integration_ids
        counting = partial(presence.count_live, connection, ids, at.clock(), window)
        live = at.live_counts.of(ids, counting)
        return HomeNumbers(live, access.standing(session, space))


def _page(
    request: Request,
    at: Services,
    home: Home,
    typed: Mapping[str, str],
    problem: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    space = home.space
    numbers = at.home_numbers.get(partial(_count, at, space)) if space else None
    shown = {
        "home": home,
        "space": space,
        "numbers": numbers,
        "typed": typed,
        "problem": problem,
        "needs_proof": at.join_needs_proof,
    }
    answer = render(request, "home.html", shown, status=status)
    answer.headers.update(headers or {})
    return answer


def _send(at: Services, space_name: str, address: str, referral_code: str) -> None:
    token = invitations.seal(at.vault, address, referral_code, at.clock())
    link = f"{at.settings.platform.public_app_url.rstrip('/')}/join?t={token}"
    body = (
        f"Somebody, most likely you, wants to join the waiting list of {space_name}. Open this link to join,"
        f" or to come back to your place in line:\n\n{link}\n\n"
        "It works for 24 hours. If it was not you, do nothing."
    )
    try:
        at.messenger.send(OutgoingMessage("email", address, f"Your place in line for {space_name}", body))
    except FirstUserError as error:
        _log.warning("no invitation sent", problem=error.code)


def _private(response: Response) -> Response:
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
