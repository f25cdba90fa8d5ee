"""Each type of event comes from the change that it tells of, in its transaction; some only on request."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.access import grants, waitlist
from api.core.chat import service as chat
from api.core.crypto import Vault
from api.core.flags import service as flags
from api.core.flags.rules import FlagKey
from api.core.ids import new_id
from api.core.keys import service as keys
from api.core.privacy import tombstones
from api.core.webhooks import events, liveness, outbox, secrets
from tests.api.core.webhooks.places import told
from tests.product import NOW

WINDOW = timedelta(seconds=90)
BOTH = [events.LIVE, events.LEFT]


def types(session: Session, integration_id: str) -> list[str]:
    query = text("select type from webhook_messages where integration_id = :i order by id")
    return list(session.scalars(query, {"i": integration_id}))


def join(session: Session, vault: Vault, integration_id: str, who: str) -> str:
    """Let in, with a grant; the entry's id."""
    entry_id = waitlist.join(session, vault, integration_id, who, NOW, f"{who}@mail.example")
    waitlist.decide(session, entry_id, "accept", NOW)
    session.execute(
        text(
            "insert into grants (id, integration_id, entry_id, external_user_id, created_at)"
            " values (:g, :i, :e, :w, :n)"
        ),
        {"g": new_id("grt"), "i": integration_id, "e": entry_id, "w": who, "n": NOW},
    )
    return entry_id


def beat(session: Session, integration_id: str, who: str, at: datetime, status: str = "live") -> None:
    session.execute(
        text(
            "insert into presence values (:i, :w, :a, :s) on conflict (integration_id, external_user_id)"
            " do update set last_seen = :a, status = :s"
        ),
        {"i": integration_id, "w": who, "a": at, "s": status},
    )


def wants(session: Session, integration_id: str, asked: Sequence[str]) -> None:
    query = text("update webhook_endpoints set event_types = :t where integration_id = :i")
    session.execute(query, {"t": list(asked), "i": integration_id})


def test_every_type_comes_from_its_change(session: Session, vault: Vault) -> None:
    """An endpoint that names every type is told of every type: nothing is promised that is never sent."""
    integration = told(session, vault)
    wants(session, integration, list(events.TYPES))
    space = session.scalars(text("select space_id from integrations where id = :i"), {"i": integration}).one()
    refused = waitlist.join(session, vault, integration, "bob", NOW, "bob@mail.example")
    waitlist.decide(session, refused, "reject", NOW)
    entry_id = join(session, vault, integration, "anna")
    conversation = chat.opened(session, space, entry_id, NOW)
    chat.post(session, conversation.id, "founder", new_id("cli"), "hello", NOW)
    beat(session, integration, "anna", NOW)
    liveness.look(session, NOW, WINDOW)
    liveness.look(session, NOW + 2 * WINDOW, WINDOW)
    grants.revoke(session, integration, grant_of(session, entry_id), NOW)
    for paused in (True, False):
        flags.set_value(session, FlagKey.ONBOARDING_PAUSED, space, paused, by="fnd_x", reason="test", now=NOW)
    keys.mint(session, integration, NOW)
    keys.mint(session, integration, NOW)
    secrets.rotate(session, vault, integration, timedelta(0), NOW, "fnd_x")
    outbox.publish(session, integration, events.TEST, {"integration_id": integration}, NOW)
    user_id = waitlist.entry(session, entry_id).user_id
    query = text("select convert_from(body, 'UTF8') from webhook_messages where integration_id = :i")
    before, bodies = set(types(session, integration)), list(session.scalars(query, {"i": integration}))
    tombstones.forget(session, user_id, by="fnd_x", at=NOW)
    assert before | set(types(session, integration)) == set(events.TYPES)
    bodies += session.scalars(query, {"i": integration})
    assert not [body for body in bodies if "anna" in body or "hello" in body or "@" in body]


def grant_of(session: Session, entry_id: str) -> str:
    return session.scalars(text("select id from grants where entry_id = :e"), {"e": entry_id}).one()


def test_a_change_that_is_undone_is_not_told(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    with pytest.raises(ZeroDivisionError), session.begin_nested():
        waitlist.join(session, vault, integration, "anna", NOW)
        raise ZeroDivisionError
    assert types(session, integration) == []


def test_live_and_left_are_told_once_and_only_to_those_who_ask(session: Session, vault: Vault) -> None:
    integration, other = told(session, vault), told(session, vault)
    wants(session, integration, BOTH)
    for place in (integration, other):
        join(session, vault, place, "anna")
        beat(session, place, "anna", NOW)
    assert liveness.look(session, NOW, WINDOW) == 1
    assert liveness.look(session, NOW + WINDOW / 2, WINDOW) == 0
    beat(session, integration, "anna", NOW + WINDOW)
    assert liveness.look(session, NOW + 1.5 * WINDOW, WINDOW) == 0
    assert liveness.look(session, NOW + 2 * WINDOW, WINDOW) == 1  # fell silent
    beat(session, integration, "anna", NOW + 3 * WINDOW)
    assert liveness.look(session, NOW + 3 * WINDOW, WINDOW) == 1
    beat(session, integration, "anna", NOW + 3 * WINDOW, "left")
    assert liveness.look(session, NOW + 3 * WINDOW, WINDOW) == 1  # left at once, on their word
    assert types(session, integration) == [events.LIVE, events.LEFT] * 2
    assert not set(types(session, other)) & set(BOTH)


def test_who_no_longer_asks_is_forgotten_and_told_anew(session: Session, vault: Vault) -> None:
    integration = told(session, vault)
    wants(session, integration, [events.LIVE])
    join(session, vault, integration, "anna")
    beat(session, integration, "anna", NOW)
    assert liveness.look(session, NOW, WINDOW) == 1
    assert liveness.look(session, NOW + 2 * WINDOW, WINDOW) == 0  # only the coming was asked for
    beat(session, integration, "anna", NOW + 3 * WINDOW)
    wants(session, integration, [])
    assert liveness.look(session, NOW + 3 * WINDOW, WINDOW) == 0
    assert session.scalar(text("select count(*) from webhook_live")) == 0
    wants(session, integration, BOTH)
    assert liveness.look(session, NOW + 3 * WINDOW, WINDOW) == 1
