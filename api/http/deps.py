"""Who is calling: a founder by cookie, a partner by key."""

from typing import Annotated

from fastapi import Depends, Request

from api.core.founders import service as founders
from api.core.founders import sessions
from api.core.founders.service import FounderView
from api.core.keys import service as keys
from api.http.errors import Unauthenticated
from api.http.services import Services, services

At = Annotated[Services, Depends(services)]


def founder(request: Request, at: At) -> FounderView:
    """The founder whose session the cookie names. Raises `Unauthenticated`."""
    cookie = at.cookies.session(request)
    if cookie:
        with at.transaction() as session:
            founder_id = sessions.founder_id_of(session, at.session_signer, cookie, at.clock())
            if founder_id:
                return founders.view(session, at.vault, founder_id)
    raise Unauthenticated("login_required", "Log in first.")


def partner(request: Request, at: At) -> str:
    """The id of the integration that the bearer key belongs to. Every bad key gets the same answer."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        with at.transaction() as session:
            integration_id = keys.authenticate(session, presented.strip(), at.clock())
            if integration_id:
                return integration_id
    raise Unauthenticated("invalid_api_key", "The API key is missing or not valid.", scheme="Bearer")


SignedIn = Annotated[FounderView, Depends(founder)]
Partner = Annotated[str, Depends(partner)]
