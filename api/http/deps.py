"""Who is calling: a founder by cookie, a partner by key."""

from typing import Annotated

from fastapi import Depends, Request

from api.core.errors import Refused
from api.core.founders import service as founders
from api.core.founders import sessions
from api.core.founders.service import FounderView
from api.core.founders.sessions import OpenSession
from api.http import partner_calls
from api.http.client_address import client_network
from api.http.credentials import FounderCookie, IntegrationKey
from api.http.errors import ProofTooOld, Unauthenticated
from api.http.services import Services, services

At = Annotated[Services, Depends(services)]


def founder(request: Request, at: At, _: FounderCookie = None) -> FounderView:
    """The founder whose session the cookie names. Raises `Unauthenticated`."""
    return _signed_in(request, at)[0]


def recently_proven(request: Request, at: At, _: FounderCookie = None) -> FounderView:
    """The founder, whose last code is not long ago. Raises `Unauthenticated`, `ProofTooOld`."""
    who, opened = _signed_in(request, at)
    if not sessions.recently_proven(opened, at.clock()):
        raise ProofTooOld
    return who


def homepage_owner(request: Request, at: At, _: FounderCookie = None) -> FounderView:
    """The founder HOMEPAGE_OWNER_PHONE. Raises `Unauthenticated`, `Refused` `homepage_owner_required`."""
    who = founder(request, at)
    if not owns_homepage(at, who):
        raise Refused(
            "Only the owner of the homepage's space may do this.",
            fix="Ask them, or log in as them.",
            code="homepage_owner_required",
        )
    return who


def owns_homepage(at: Services, who: FounderView) -> bool:
    phone = at.settings.platform.homepage_owner_phone
    if not phone:
        return False
    with at.transaction() as session:
        return founders.has_phone(session, at.vault, who.id, phone)


def current_session(request: Request, at: At, _: FounderCookie = None) -> OpenSession:
    """The session itself. Raises `Unauthenticated`."""
    return _signed_in(request, at)[1]


def _signed_in(request: Request, at: Services) -> tuple[FounderView, OpenSession]:
    cookie = at.cookies.session(request)
    if cookie:
        with at.transaction() as session:
            opened = sessions.current(session, at.session_signer, cookie, at.clock())
            if opened:
                return founders.view(session, at.vault, opened.founder_id), opened
    raise Unauthenticated("login_required", "Log in first.")


async def partner(request: Request, at: At, _: IntegrationKey = None) -> str:
    """The id of the integration that the bearer key belongs to. Every bad key gets the same answer.

    Raises `Unauthenticated`, `RateLimited`, and `Refused` `integration_disabled`."""
    integration_id, request.state.rate_limit = await partner_calls.admit(
        at,
        request.headers.get("authorization", ""),
        client_network(request),
    )
    request.state.integration_id = integration_id
    return integration_id


SignedIn = Annotated[FounderView, Depends(founder)]
RecentlyProven = Annotated[FounderView, Depends(recently_proven)]
"""For what a browser left open must not be able to do. Name `recent_login_required` at an API's route."""
HomepageOwner = Annotated[FounderView, Depends(homepage_owner)]
"""Who turns what concerns every space. Name `homepage_owner_required` at an API's route."""
CurrentSession = Annotated[OpenSession, Depends(current_session)]
Partner = Annotated[str, Depends(partner)]
