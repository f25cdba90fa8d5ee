"""A deletion reaches webhooks: what was not sent yet is not, and what partners answered is not kept."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.errors import Conflict
from api.core.privacy import service
from api.core.webhooks import deliveries, secrets, settling
from api.core.webhooks.attempts import Attempt
from api.core.webhooks.claiming import Claimed
from api.db.engine import Engine
from tests.api.core.places import Place, new_place
from tests.api.core.privacy.people import Person, found, new_person
from tests.api.core.webhooks.places import BAD, OK, claim, endpoint_of, move, tried
from tests.product import NOW
from tests.webhooks.dispatching import clear

EMAIL, OTHER = "anna.thomsen@example.com", "bert@example.com"
_REVOKE = text("""
update grants set revoked_at = now()
where entry_id = (select id from entries where user_id = :user) and revoked_at is null
""")
_WITHOUT_MESSAGE = text("""
select count(*) from webhook_deliveries where message_id not in (select id from webhook_messages)
""")
LATER = NOW + timedelta(days=3000)


@dataclass(frozen=True, slots=True)
class Told:
    """A place whose partner is told of everything."""

    place: Place
    endpoint: str

    def person(self, session: Session, vault: Vault, email: str, texts: Sequence[str] = ()) -> Person:
        """Published by then: created, two grants, and a message for each of the texts."""
        return new_person(session, vault, self.place, email.partition("@")[0], email, None, texts)


@pytest.fixture
def told(session: Session, vault: Vault) -> Told:
    return new_told(session, vault, "+447700900920")


def new_told(session: Session, vault: Vault, phone: str) -> Told:
    place = new_place(session, vault, phone)
    move(session, place.integration_id, "https://partner.example/hooks")
    secrets.rotate(session, vault, place.integration_id, timedelta(0), NOW, "test")
    return Told(place, endpoint_of(session, place.integration_id))


def answering(attempt: Attempt, words: str) -> Attempt:
    return attempt._replace(excerpt=words)


def settle(session: Session, claimed: Sequence[Claimed], attempt: Attempt, attempts_before: int = 0) -> None:
    settling.settle(session, [tried(one._replace(attempts=attempts_before), attempt) for one in claimed], NOW)


def kept(session: Session, told: Told) -> list[tuple[str, str]]:
    """Types of messages and what is answered to them, of those that have an attempt."""
    query = text("""
        select coalesce(m.type, 'gone'), a.response from webhook_attempts as a
        left join webhook_messages as m on m.id = a.message_id where a.endpoint_id = :e order by a.delivery_id
    """)
    return [(type, response) for type, response in session.execute(query, {"e": told.endpoint})]


def test_what_partners_answered_goes_and_that_they_did_stays(
    session: Session, vault: Vault, told: Told
) -> None:
    person = told.person(session, vault, EMAIL, ["hello"])
    theirs = claim(session, vault, LATER)
    settle(session, theirs, answering(OK, f"welcome, {EMAIL}"))
    told.person(session, vault, OTHER)
    settle(session, claim(session, vault, LATER), answering(OK, f"welcome, {OTHER}"))
    assert found(session, [EMAIL])
    assert service.delete_for(session, told.place.founder_id, person.user_id, NOW)
    assert found(session, [EMAIL]) == {}
    assert kept(session, told) == [("gone", "")] * 4 + [
        ("waitlist.entry.created", f"welcome, {OTHER}"),
        *[("access.granted", f"welcome, {OTHER}")] * 2,
    ]


def test_nothing_is_sent_any_more_but_that_they_were_deleted(
    session: Session, vault: Vault, told: Told
) -> None:
    """Otherwise a partner who was away would hear of a deleted person, and write them down again."""
    person = told.person(session, vault, EMAIL, ["hello", "you"])
    [given_up, failed, *_] = claim(session, vault, LATER)
    settle(session, [given_up], answering(BAD, f"no {EMAIL} here"), attempts_before=9)
    settle(session, [failed], answering(BAD, f"no {EMAIL} here"))
    told.person(session, vault, OTHER)
    assert service.delete_for(session, told.place.founder_id, person.user_id, NOW)
    assert found(session, [EMAIL]) == {}
    query = text("""
        select m.type, m.user_id = :user from webhook_deliveries as d
        left join webhook_messages as m on m.id = d.message_id where d.endpoint_id = :e order by d.id
    """)
    left = session.execute(query, {"e": told.endpoint, "user": person.user_id}).all()
    assert [tuple(row) for row in left] == [
        ("waitlist.entry.created", False), ("access.granted", False), ("access.granted", False),
        ("user.deleted", True),
    ]  # fmt: skip


def test_the_answer_to_a_deletion_is_not_kept(session: Session, vault: Vault, told: Told) -> None:
    person = told.person(session, vault, EMAIL)
    assert service.delete_for(session, told.place.founder_id, person.user_id, NOW)
    last = claim(session, vault, LATER)
    settle(session, last, answering(OK, f"{EMAIL} is no more"))
    assert kept(session, told) == [("user.deleted", "")]
    assert found(session, [EMAIL]) == {}


def test_an_export_holds_what_partners_were_told_and_answered(
    session: Session, vault: Vault, told: Told
) -> None:
    person = told.person(session, vault, EMAIL)
    [created, *others] = claim(session, vault, LATER)
    settle(session, [created], answering(BAD, "come again"))
    settle(session, others, answering(OK, ""))
    told.person(session, vault, OTHER)
    export = service.export(session, vault, person.user_id)["webhooks"]
    assert [(row["type"], [one["response"] for one in row["answers"]]) for row in export] == [
        ("waitlist.entry.created", ["come again"]),
        ("access.granted", []),
        ("access.granted", []),
    ]
    assert all(person.user_id in row["body"] for row in export)


@pytest.mark.parametrize("attempt", [OK, BAD], ids=["delivered", "given up"])
def test_what_has_no_message_any_more_is_not_sent_again(
    session: Session, vault: Vault, told: Told, attempt: Attempt
) -> None:
    """A delivery without a message would be claimed for ever, and keep its lane from all others."""
    told.person(session, vault, EMAIL)
    [first, *_] = claim(session, vault, LATER)
    settle(session, [first], attempt, attempts_before=9)
    session.execute(text("delete from webhook_messages"))  # by its age
    delivery_id = f"dlv_{first.id.replace('-', '')}"
    shown, attempts = deliveries.one(session, told.place.integration_id, delivery_id)
    assert (shown.type, shown.body, len(attempts)) == ("", "", 1)
    with pytest.raises(Conflict, match="cannot be sent again"):
        deliveries.resend(session, told.place.integration_id, delivery_id, "test", NOW)


@pytest.mark.parametrize("way", ["published", "settled", "sent again"])
def test_what_is_under_way_during_a_deletion_leaves_nothing_behind(
    engine: Engine, vault: Vault, way: str
) -> None:
    """The other transaction has done its work and commits while the deletion waits for it."""
    with Session(engine) as setting_up:
        told = new_told(setting_up, vault, f"+4477009009{len(way):02d}")
        person = told.person(setting_up, vault, EMAIL)
        setting_up.commit()
        claimed = claim(setting_up, vault, LATER)
        setting_up.commit()
        if way == "sent again":
            settle(setting_up, claimed, answering(OK, f"welcome, {EMAIL}"))
            setting_up.commit()
    with Session(engine) as other, Session(engine) as deleting:
        if way == "published":
            other.execute(_REVOKE, {"user": person.user_id})
        elif way == "settled":
            settle(other, claimed, answering(OK, f"welcome, {EMAIL}"))
        else:
            first = f"dlv_{claimed[0].id.replace('-', '')}"
            deliveries.resend(other, told.place.integration_id, first, "test", NOW)
        deleter = threading.Thread(
            target=lambda: (
                service.delete_for(deleting, told.place.founder_id, person.user_id, NOW),
                deleting.commit(),
            )
        )
        deleter.start()
        deleter.join(0.3)
        assert deleter.is_alive()
        other.commit()
        deleter.join(5)
        assert not deleter.is_alive()
        assert found(other, [EMAIL]) == {}
        messages = "select type from webhook_messages where user_id = :u"
        assert list(other.scalars(text(messages), {"u": person.user_id})) == ["user.deleted"]
        assert other.execute(_WITHOUT_MESSAGE).scalar_one() == 0
    clear(engine)
