"""Every change is on record with who and why; what changes nothing is not a change."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.errors import NotFound, Refused
from api.core.flags import service
from api.core.flags.rules import EVERYWHERE, FlagKey
from tests.api.core.places import Place, new_place
from tests.product import NOW

PAUSED, ENABLED = FlagKey.ONBOARDING_PAUSED, FlagKey.INTEGRATION_ENABLED


@pytest.fixture
def place(session: Session, vault: Vault) -> Place:
    return new_place(session, vault)


def put(session: Session, key: FlagKey, scope: str, value: bool, reason: str = "incident 7") -> bool:
    return service.set_value(session, key, scope, value, by="fnd_ada", reason=reason, now=NOW)


def test_each_change_says_who_and_why(session: Session, place: Place) -> None:
    assert put(session, PAUSED, place.space_id, True)
    assert put(session, PAUSED, place.space_id, False, "over")
    assert service.clear(session, PAUSED, place.space_id, by="cli", reason="tidy", now=NOW)
    found = service.history(session, 3)
    assert [(change.before, change.after) for change in found] == [(False, None), (True, False), (None, True)]
    assert [(change.changed_by, change.reason) for change in found] == [
        ("cli", "tidy"),
        ("fnd_ada", "over"),
        ("fnd_ada", "incident 7"),
    ]
    audited = session.execute(
        text("select action from audit where subject = :space order by id"), {"space": place.space_id}
    )
    assert audited.scalars().all() == ["flags.set", "flags.set", "flags.clear"]


def test_what_changes_nothing_leaves_no_trace(session: Session, place: Place) -> None:
    before = service.history(session, 1)
    assert not put(session, PAUSED, place.space_id, False)
    assert not put(session, ENABLED, place.integration_id, True)
    assert not service.clear(session, PAUSED, EVERYWHERE, by="cli", reason="tidy", now=NOW)
    assert service.history(session, 1) == before
    assert put(session, ENABLED, EVERYWHERE, False)
    assert not put(session, ENABLED, EVERYWHERE, False, "again")
    assert [change.reason for change in service.history(session, 1)] == ["incident 7"]


def test_a_scope_has_to_exist_and_be_of_the_right_kind(session: Session, place: Place) -> None:
    with pytest.raises(NotFound, match="no integration 'int_typo'"):
        put(session, ENABLED, "int_typo", False)
    with pytest.raises(Refused, match="cannot be set for"):
        put(session, PAUSED, place.integration_id, True)
    assert service.resolve(session, PAUSED, place.slug) == place.space_id
    assert service.resolve(session, PAUSED, EVERYWHERE) == EVERYWHERE
    with pytest.raises(NotFound):
        service.resolve(session, PAUSED, "nowhere")


def test_switches_show_what_was_never_touched_as_normal(session: Session, place: Place) -> None:
    put(session, ENABLED, place.integration_id, False)
    scopes = [EVERYWHERE, place.integration_id]
    found = service.switches(session, ENABLED, scopes)
    assert [(one.scope, one.value, one.tripped) for one in found] == [
        (EVERYWHERE, True, False),
        (place.integration_id, False, True),
    ]
    assert (found[0].changed_at, found[1].changed_at) == (None, NOW)
