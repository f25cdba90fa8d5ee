"""Rotating and revoking keys: one works at every moment, and the old one ends when it was said to."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.errors import Conflict, NotFound, Refused
from api.core.keys import rotation, rules, service
from tests.api.core.places import new_place
from tests.product import NOW

DAY = timedelta(days=1)


def states(session: Session, integration_id: str, now: datetime) -> dict[str, str]:
    session.expire_all()
    return {key.id: key.state(now) for key in service.of_integration(session, integration_id)}


def test_the_old_key_works_through_its_grace_and_not_a_moment_longer(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    old, _ = service.mint(session, place.integration_id, NOW)
    new, plaintext = rotation.rotate(session, place.integration_id, DAY, NOW, place.founder_id, False)
    assert states(session, place.integration_id, NOW) == {old: "ending", new: "current"}
    assert states(session, place.integration_id, NOW + DAY) == {old: "expired", new: "current"}
    assert service.authenticate(session, plaintext, NOW) == place.integration_id


def test_a_second_rotation_waits_unless_forced_and_gives_nobody_more_time(
    session: Session, vault: Vault
) -> None:
    place = new_place(session, vault)
    first, _ = service.mint(session, place.integration_id, NOW)
    second, _ = rotation.rotate(session, place.integration_id, DAY, NOW, "fnd_x", False)
    with pytest.raises(Conflict) as refused:
        rotation.rotate(session, place.integration_id, DAY, NOW, "fnd_x", False)
    assert refused.value.code == "rotation_in_progress"
    third, _ = rotation.rotate(session, place.integration_id, 3 * DAY, NOW, "fnd_x", True)
    assert states(session, place.integration_id, NOW + DAY) == {
        first: "expired",
        second: "ending",
        third: "current",
    }
    rotation.rotate(session, place.integration_id, timedelta(), NOW, "fnd_x", True)
    assert list(states(session, place.integration_id, NOW).values()).count("current") == 1
    assert "ending" not in states(session, place.integration_id, NOW).values()


def test_after_the_grace_the_next_rotation_is_free(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    service.mint(session, place.integration_id, NOW)
    rotation.rotate(session, place.integration_id, DAY, NOW, "fnd_x", False)
    rotation.rotate(session, place.integration_id, DAY, NOW + DAY, "fnd_x", False)
    assert sorted(states(session, place.integration_id, NOW + DAY).values()) == [
        "current",
        "ending",
        "expired",
    ]


def test_an_old_key_can_be_ended_early_the_current_one_cannot(session: Session, vault: Vault) -> None:
    place, other = new_place(session, vault), new_place(session, vault, "+447700900901")
    old, _ = service.mint(session, place.integration_id, NOW)
    new, _ = rotation.rotate(session, place.integration_id, DAY, NOW, "fnd_x", False)
    for _ in range(2):
        rotation.revoke(session, place.integration_id, old, NOW, "fnd_x")
    assert states(session, place.integration_id, NOW) == {old: "revoked", new: "current"}
    with pytest.raises(Conflict) as refused:
        rotation.revoke(session, place.integration_id, new, NOW, "fnd_x")
    assert refused.value.code == "key_is_current"
    with pytest.raises(NotFound):
        rotation.revoke(session, other.integration_id, old, NOW, "fnd_x")


def test_of_many_rotations_at_once_one_succeeds(engine: Engine, vault: Vault) -> None:
    with Session(engine) as session, session.begin():
        place = new_place(session, vault, "+447700900902")
        service.mint(session, place.integration_id, NOW)

    def rotate(_: int) -> bool:
        try:
            with Session(engine) as session, session.begin():
                rotation.rotate(session, place.integration_id, DAY, NOW, "fnd_x", False)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(rotate, range(8))) == 1
    with Session(engine) as session, session.begin():
        assert len(states(session, place.integration_id, NOW)) == 2


@given(grace=st.timedeltas(min_value=timedelta(days=-9), max_value=timedelta(days=30)))
def test_the_grace_is_between_nothing_and_seven_days(grace: timedelta) -> None:
    if timedelta() <= grace <= timedelta(days=7):
        rules.check_rotation({"current"}, grace, False)
    else:
        with pytest.raises(Refused):
            rules.check_rotation({"current"}, grace, True)


@given(
    expires=st.none() | st.timedeltas(timedelta(-9), timedelta(9)),
    revoked=st.none() | st.timedeltas(timedelta(-9), timedelta()),
)
def test_a_key_works_while_it_is_neither_revoked_nor_over(
    expires: timedelta | None, revoked: timedelta | None
) -> None:
    ends, gone = (None if after is None else NOW + after for after in (expires, revoked))
    works = revoked is None and (expires is None or expires > timedelta())
    assert (rules.state(ends, gone, NOW) in rules.WORKING) == works
