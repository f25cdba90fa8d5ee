"""Starts: one visitor's way to the waiting list, as a partner's back end asked for it.

The visitor's browser holds the token of its start, which is all that the address of its page says. What the
partner has registered is compared again at every look: an address that was taken back gets no code any more.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from api.core.access import codes, start_queries, waitlist
from api.core.access.models import Entry, Integration, WaitlistStart
from api.core.errors import Conflict, Refused
from api.core.ids import new_id

LIFETIME = timedelta(days=7)
KEPT = timedelta(days=1)

Mode = Literal["redirect", "embedded"]


@dataclass(frozen=True, slots=True)
class Way:
    """How the visitor comes back: to `return_url` with `state`, or by a message to `embed_origin`."""

    mode: Mode
    return_url: str | None = None
    state: str | None = None
    embed_origin: str | None = None
    code_challenge: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    id: str
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """A start as its visitor finds it. `registered`: the partner has not taken the way back from its list."""

    start: WaitlistStart
    entry: Entry
    integration: Integration
    space_name: str
    registered: bool
    expired: bool

    @property
    def open(self) -> bool:
        return self.registered and not self.expired


def check_registered(integration: Integration, way: Way) -> None:
    """Raises `Refused` `return_url_not_allowed` or `origin_not_allowed` unless it matches exactly."""
    if way.mode == "redirect" and way.return_url not in integration.return_urls:
        raise Refused(
            "The return URL is not registered for this integration.",
            fix="Register it on the Integrate page, exactly as it is sent.",
            code="return_url_not_allowed",
        )
    if way.mode == "embedded" and way.embed_origin not in integration.origins:
        raise Refused(
            "The origin is not registered for this integration.",
            fix="Register it on the Integrate page, exactly as browsers send it.",
            code="origin_not_allowed",
        )


def start(session: Session, entry_id: str, integration_id: str, way: Way, now: datetime) -> Started:
    token, start_id, expires_at = secrets.token_urlsafe(32), new_id("wls"), now + LIFETIME
    start_queries.add_start(
        session,
        {
            "id": start_id,
            "entry_id": entry_id,
            "integration_id": integration_id,
            "mode": way.mode,
            "token_sha256": _digest(token),
            "return_url": way.return_url,
            "state": way.state,
            "code_challenge": way.code_challenge,
            "embed_origin": way.embed_origin,
            "created_at": now,
            "expires_at": expires_at,
        },
    )
    return Started(start_id, token, expires_at)


def visit(session: Session, token: str, mode: Mode, now: datetime) -> Visit | None:
    """None for a token that nobody was given for this mode."""
    found = start_queries.start_by_token(session, _digest(token))
    if found is None or found[0].mode != mode:
        return None
    start, entry, integration, space_name = found
    registered = (
        start.return_url in integration.return_urls
        if mode == "redirect"
        else start.embed_origin in integration.origins
    )
    return Visit(start, entry, integration, space_name, registered, now >= start.expires_at)


def position(session: Session, of: Visit) -> int | None:
    return waitlist.position(session, of.entry.id) if of.entry.status == "waiting" else None


def code(session: Session, of: Visit, now: datetime) -> str:
    """A fresh code for the way back. Raises `Conflict` unless the entry is accepted and the visit open."""
    if of.entry.status != "accepted" or not of.open:
        raise Conflict("There is no access to hand out.", fix="Wait until the entry is accepted.")
    return codes.issue(
        session,
        of.entry.id,
        of.integration.id,
        now,
        start_id=of.start.id,
        return_url=of.start.return_url,
        code_challenge=of.start.code_challenge,
    )


def forget(session: Session, now: datetime) -> int:
    """Removes starts that ended a while ago, with their codes; returns how many."""
    return start_queries.forget_starts(session, now - KEPT)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
