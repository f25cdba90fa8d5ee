"""Whatever is kept of a person is in the export, and after the deletion it is nowhere."""

import json
import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.access import waitlist
from api.core.crypto import Vault, data_keys
from api.core.errors import NotFound
from api.core.presence import service as presence
from api.core.presence.rules import Beat
from api.core.privacy import service
from api.db.engine import Engine, driver_connection
from tests.api.core.places import Place, new_place
from tests.api.core.privacy.people import Person, found, new_person
from tests.product import DATA_KEY, NOW

OLD_KEY = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="

words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters='"\\'),
    min_size=12,
    max_size=40,
)
emails = st.from_regex(r"[a-z]{10,20}@[a-z]{8,12}\.example", fullmatch=True)
phones = st.integers(10**9, 10**10 - 1).map(lambda number: f"+44{number}")


@pytest.fixture
def place(session: Session, vault: Vault) -> Place:
    return new_place(session, vault)


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(words, st.none() | emails, st.none() | phones, st.lists(words, max_size=3, unique=True))
def test_kept_things_are_in_the_export_and_gone_after_the_deletion(
    session: Session, vault: Vault, external: str, email: str | None, phone: str | None, texts: list[str]
) -> None:
    with session.begin_nested() as savepoint:
        place = new_place(session, vault)
        person = new_person(session, vault, place, external, email, phone, texts)
        document = json.dumps(service.export(session, vault, person.user_id), ensure_ascii=False)
        for known in {external, email, phone, *texts} - {None}:
            assert json.dumps(known, ensure_ascii=False)[1:-1] in document
        assert found(session, person.traces).keys() == set(person.stored)  # and never what is sealed
        assert service.delete_for(session, place.founder_id, person.user_id, NOW)
        assert found(session, person.traces) == {}
        savepoint.rollback()


def test_an_export_says_everything_by_name(session: Session, vault: Vault, place: Place) -> None:
    person = new_person(session, vault, place, "u-1", "a@example.com", "+447700900901", ["hello there"])
    document = service.export_for(session, vault, place.founder_id, person.user_id, NOW)
    assert {name: len(rows) for name, rows in document.items() if isinstance(rows, list)} == {
        "waitlist_visits": 1, "access_codes": 1, "grants": 2, "presence": 1, "conversations": 1,
        "messages": 1, "login_codes": 1, "webhooks": 0,
    }  # fmt: skip
    assert document["entry"]["email"] == "a@example.com" and document["entry"]["metadata"] == {"plan": "u-1"}
    seen = service.look(session, vault, place.founder_id, person.user_id)
    assert seen.entry["email"] == "a•••@example.com" and seen.counts["messages"] == 1
    assert actions(session, person) == ["users.export"]


def test_the_key_of_yesterday_still_opens_and_finds(session: Session, place: Place) -> None:
    old, new = Vault(data_keys(OLD_KEY)), Vault(data_keys(DATA_KEY, OLD_KEY))
    person = new_person(session, old, place, "u-1", "a@example.com", "+447700900901")
    assert service.export(session, new, person.user_id)["entry"]["phone"] == "+447700900901"
    service.delete_for(session, place.founder_id, person.user_id, NOW)
    assert found(session, person.traces) == {}


def test_deleting_twice_is_as_deleting_once(session: Session, vault: Vault, place: Place) -> None:
    person = new_person(session, vault, place, "u-1", "a@example.com", None)
    assert service.delete_for(session, place.founder_id, person.user_id, NOW)
    assert not service.delete_for(session, place.founder_id, person.user_id, NOW)
    assert actions(session, person) == ["users.delete"]
    kept = service.look(session, vault, place.founder_id, person.user_id)
    assert (kept.deleted_at, kept.entry, kept.counts) == (NOW, {}, {})
    with pytest.raises(NotFound):
        service.export(session, vault, person.user_id)


def test_another_founders_user_is_not_there_alive_or_deleted(
    session: Session, vault: Vault, place: Place
) -> None:
    other = new_place(session, vault, "+447700900902")
    person = new_person(session, vault, place, "u-1", "a@example.com", None)
    calls: list[Callable[[str], object]] = [
        lambda user: service.look(session, vault, other.founder_id, user),
        lambda user: service.export_for(session, vault, other.founder_id, user, NOW),
        lambda user: service.delete_for(session, other.founder_id, user, NOW),
    ]
    for user in (person.user_id, "usr_none"):
        for call in calls:
            with pytest.raises(NotFound, match="There is no user"):
                call(user)
    service.delete_for(session, place.founder_id, person.user_id, NOW)
    for call in calls:
        with pytest.raises(NotFound, match="There is no user"):
            call(person.user_id)


def test_others_stay_as_they_were_and_move_up(session: Session, vault: Vault, place: Place) -> None:
    first = waitlist.join(session, vault, place.integration_id, "first", NOW)
    code = session.execute(
        text("select referral_code from entries where id = :id"), {"id": first}
    ).scalar_one()
    second = waitlist.join(session, vault, place.integration_id, "second", NOW, None, code)
    user = session.execute(text("select user_id from entries where id = :id"), {"id": first}).scalar_one()
    assert waitlist.position(session, second) == 2
    service.delete_for(session, place.founder_id, user, NOW)
    assert waitlist.position(session, second) == 1
    again = waitlist.join(session, vault, place.integration_id, "first", NOW)
    assert again != first and waitlist.position(session, again) == 2


def test_a_heartbeat_under_way_does_not_write_the_person_down_again(engine: Engine, vault: Vault) -> None:
    with Session(engine) as setting_up:
        place = new_place(setting_up, vault, "+447700900903")
        person = new_person(setting_up, vault, place, "racing", "racing@example.com", None)
        setting_up.commit()
    with Session(engine) as beating, Session(engine) as deleting:
        beat = [Beat("racing", "live", NOW)]
        assert presence.record(driver_connection(beating), place.integration_id, beat) == (1, 0)
        deleter = threading.Thread(
            target=lambda: (
                service.delete_for(deleting, place.founder_id, person.user_id, NOW),
                deleting.commit(),
            )
        )
        deleter.start()
        deleter.join(0.3)
        assert deleter.is_alive()  # it waits for the heartbeat
        beating.commit()
        deleter.join(5)
        assert presence.record(driver_connection(beating), place.integration_id, beat) == (0, 1)
        assert found(beating, ["racing"]) == {}


def actions(session: Session, person: Person) -> list[str]:
    rows = session.execute(
        text("select action from audit where subject = :user order by id"), {"user": person.user_id}
    )
    return list(rows.scalars())
