"""Joining and being decided on: once each, whoever asks at the same time."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.access import service, waitlist
from api.core.crypto import Vault
from api.core.errors import Conflict, NotFound
from api.db.engine import session_scope
from tests.api.core.places import new_place
from tests.product import NOW


def test_joining_twice_is_joining_once(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    first = waitlist.join(session, vault, place.integration_id, "anna", NOW, "anna@example.com")
    assert waitlist.join(session, vault, place.integration_id, "anna", NOW) == first
    space = service.space(session, place.founder_id, place.slug)
    assert space.entries == {"total": 1, "waiting": 1, "accepted": 0, "rejected": 0}


def test_an_entry_is_decided_on_once(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    waitlist.join(session, vault, place.integration_id, "anna", NOW)
    (entry,) = waitlist.oldest_waiting(session, place.integration_id, 5)
    waitlist.accept(session, entry, NOW)
    for decide in (waitlist.accept, waitlist.reject):
        with pytest.raises(Conflict, match="not waiting"):
            decide(session, entry, NOW)
    assert service.space(session, place.founder_id, place.slug).grants == {"total": 1, "active": 1}


def test_two_who_decide_at_once_get_different_people(engine: Engine, vault: Vault) -> None:
    with session_scope(engine) as session:
        place = new_place(session, vault, "+447700900902")
        for user in ("anna", "ben"):
            waitlist.join(session, vault, place.integration_id, user, NOW)
    with session_scope(engine) as one, session_scope(engine) as two:
        (first,) = waitlist.oldest_waiting(one, place.integration_id, 1)
        (second,) = waitlist.oldest_waiting(two, place.integration_id, 1)
    assert (first.external_user_id, second.external_user_id) == ("anna", "ben")


def test_another_founders_space_and_integration_do_not_exist(session: Session, vault: Vault) -> None:
    mine, theirs = new_place(session, vault), new_place(session, vault, "+447700900903")
    with pytest.raises(NotFound):
        service.space(session, mine.founder_id, theirs.slug)
    with pytest.raises(NotFound):
        service.integration(session, mine.founder_id, theirs.integration_id)
    assert service.integration(session, mine.founder_id, mine.integration_id).id == mine.integration_id


def test_days_without_anyone_are_counted_as_zero(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    waitlist.join(session, vault, place.integration_id, "anna", NOW)
    days = service.joined_per_day(session, place.space_id, NOW, 3)
    assert [number for _, number in days] == [0, 0, 1]
