"""Starts and the codes they lead to: only while open, only for the accepted, bound to what the start said."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.access import codes, starts, waitlist
from api.core.access.models import AccessCode, Integration
from api.core.access.starts import LIFETIME, Way
from api.core.crypto import Vault
from api.core.errors import Conflict, Refused
from tests.api.core.places import new_place
from tests.product import NOW

URL = "https://app.example/welcome"
WAY = Way("redirect", URL, "s-1", None, "c" * 43)


def begun(session: Session, vault: Vault) -> tuple[str, str, Integration]:
    """(entry id, token, integration)"""
    place = new_place(session, vault)
    integration = session.get_one(Integration, place.integration_id)
    integration.return_urls, integration.origins = [URL], ["https://app.example"]
    session.flush()
    entry_id = waitlist.join(session, vault, place.integration_id, "anna", NOW)
    return entry_id, starts.start(session, entry_id, place.integration_id, WAY, NOW).token, integration


@pytest.mark.parametrize(
    ("way", "code"),
    [
        (replace(WAY, return_url=URL + "/"), "return_url_not_allowed"),
        (replace(WAY, return_url=URL.upper()), "return_url_not_allowed"),
        (replace(WAY, return_url=URL + "?x=1"), "return_url_not_allowed"),
        (replace(WAY, return_url=None), "return_url_not_allowed"),
        (Way("embedded", embed_origin="https://app.example:443"), "origin_not_allowed"),
        (Way("embedded", embed_origin="http://app.example"), "origin_not_allowed"),
        (Way("embedded", embed_origin=URL), "origin_not_allowed"),
    ],
)
def test_an_address_must_be_registered_exactly(session: Session, vault: Vault, way: Way, code: str) -> None:
    _, _, integration = begun(session, vault)
    with pytest.raises(Refused) as refused:
        starts.check_registered(integration, way)
    assert refused.value.code == code
    starts.check_registered(integration, WAY)


def test_a_code_is_for_the_accepted_and_bound_to_its_start(session: Session, vault: Vault) -> None:
    entry_id, token, _ = begun(session, vault)
    visit = starts.visit(session, token, "redirect", NOW)
    assert visit and visit.open and starts.position(session, visit) == 1
    with pytest.raises(Conflict):
        starts.code(session, visit, NOW)
    waitlist.accept(session, visit.entry, NOW)
    visit = starts.visit(session, token, "redirect", NOW)
    assert visit and starts.position(session, visit) is None
    code = starts.code(session, visit, NOW)
    assert len(code) == 43 and starts.code(session, visit, NOW) != code
    stored = session.get_one(AccessCode, hashlib.sha256(code.encode()).digest())
    assert (stored.entry_id, stored.return_url, stored.code_challenge) == (entry_id, URL, "c" * 43)
    assert stored.expires_at - NOW == timedelta(minutes=5)


def test_a_start_ends_by_time_and_when_its_address_is_taken_back(session: Session, vault: Vault) -> None:
    _, token, integration = begun(session, vault)
    assert starts.visit(session, token, "embedded", NOW) is None
    assert starts.visit(session, token + "x", "redirect", NOW) is None
    late = starts.visit(session, token, "redirect", NOW + LIFETIME)
    assert late and late.expired and not late.open
    integration.return_urls = []
    session.flush()
    elsewhere = starts.visit(session, token, "redirect", NOW)
    assert elsewhere and not elsewhere.open
    with pytest.raises(Conflict):
        starts.code(session, elsewhere, NOW)


def test_what_has_ended_long_ago_is_forgotten(session: Session, vault: Vault) -> None:
    entry_id, token, integration = begun(session, vault)
    code = codes.digest(codes.issue(session, entry_id, integration.id, NOW))
    instant = timedelta(seconds=1)
    codes.forget(session, NOW + codes.LIFETIME + codes.KEPT)
    assert session.get(AccessCode, code, populate_existing=True)
    assert codes.forget(session, NOW + codes.LIFETIME + codes.KEPT + instant) >= 1
    assert session.get(AccessCode, code, populate_existing=True) is None
    starts.forget(session, NOW + LIFETIME + starts.KEPT)
    assert starts.visit(session, token, "redirect", NOW)
    assert starts.forget(session, NOW + LIFETIME + starts.KEPT + instant) >= 1
    assert starts.visit(session, token, "redirect", NOW) is None


def test_neither_tokens_nor_codes_are_stored_readably(session: Session, vault: Vault) -> None:
    entry_id, token, integration = begun(session, vault)
    code = codes.issue(session, entry_id, integration.id, NOW)
    rows = session.execute(
        text("select row(s.*)::text || row(c.*)::text from waitlist_starts s, access_codes c")
    ).scalars()
    assert not [row for row in rows if token in row or code in row]
