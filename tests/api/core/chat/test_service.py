"""Chat on the real database: numbered without a gap, once per client id, and nothing skipped by a reader."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.access import waitlist
from api.core.chat import service
from api.core.chat.service import ConversationView
from api.core.crypto import Vault
from api.core.errors import NotFound
from api.db.engine import session_scope
from tests.api.core.places import new_place
from tests.product import NOW

SECOND = timedelta(seconds=1)


def new_conversation(session: Session, vault: Vault, phone: str, user: str = "anna") -> ConversationView:
    place = new_place(session, vault, phone)
    return join(session, vault, place.integration_id, place.space_id, user)


def join(session: Session, vault: Vault, integration_id: str, space_id: str, user: str) -> ConversationView:
    entry_id = waitlist.join(session, vault, integration_id, user, NOW)
    return service.opened(session, space_id, entry_id, NOW)


@pytest.fixture
def talk(session: Session, vault: Vault) -> ConversationView:
    return new_conversation(session, vault, "+447700900910")


def say(session: Session, talk: ConversationView, *texts: str, side: service.Side = "user") -> list[int]:
    return [service.post(session, talk.id, side, f"c-{text}", text, NOW)[0].seq for text in texts]


def test_an_entry_has_one_conversation(session: Session, talk: ConversationView) -> None:
    assert service.opened(session, talk.space_id, talk.entry_id, NOW + SECOND) == talk
    with pytest.raises(NotFound):
        service.get(session, "cnv_unknown")
    with pytest.raises(NotFound):
        service.post(session, "cnv_unknown", "user", "c1", "hello", NOW)


def test_messages_are_numbered_from_one(session: Session, talk: ConversationView) -> None:
    assert say(session, talk, "a", "b") + say(session, talk, "c", side="founder") == [1, 2, 3]
    page = service.after(session, talk.id, 1, 10)
    assert [(one.seq, one.sender, one.text) for one in page.messages] == [
        (2, "user", "b"),
        (3, "founder", "c"),
    ]
    assert not page.more


def test_the_same_client_id_is_the_same_message(session: Session, talk: ConversationView) -> None:
    first, new = service.post(session, talk.id, "user", "c1", "hello", NOW)
    again, fresh = service.post(session, talk.id, "user", "c1", "something else", NOW + SECOND)
    assert (new, fresh, again) == (True, False, first)
    assert service.post(session, talk.id, "founder", "c1", "hello", NOW)[0].seq == 2
    assert service.get(session, talk.id).last_seq == 2


def test_pages_in_both_directions(session: Session, talk: ConversationView) -> None:
    say(session, talk, *"abcdefg")
    newest = service.before(session, talk.id, None, 3)
    assert ("".join(one.text for one in newest.messages), newest.more) == ("efg", True)
    older = service.before(session, talk.id, newest.messages[0].seq, 4)
    assert ("".join(one.text for one in older.messages), older.more) == ("abcd", False)
    assert service.after(session, talk.id, 0, 3).more


def test_reading_never_goes_back_nor_beyond_the_end(session: Session, talk: ConversationView) -> None:
    say(session, talk, "a", "b", "c")
    assert service.unread(session, talk.id, "founder") == 3
    assert service.unread(session, talk.id, "user") == 0
    assert service.mark_read(session, talk.id, "founder", 2) == 2
    assert service.mark_read(session, talk.id, "founder", 1) == 2
    assert service.unread(session, talk.id, "founder") == 1
    assert service.mark_read(session, talk.id, "founder", 10**15) == 3
    assert service.get(session, talk.id).user_read_seq == 0


def test_a_list_shows_each_conversation_once_the_latest_first(session: Session, vault: Vault) -> None:
    place = new_place(session, vault, "+447700900911")
    talks = [join(session, vault, place.integration_id, place.space_id, f"u{n}") for n in range(6)]
    for number, talk in enumerate(talks[:5]):
        service.post(session, talk.id, "user", "c", f"hello {number}", NOW + SECOND * (number // 2))
    seen: list[service.Overview] = []
    behind = None
    while True:
        page, behind = service.overviews(session, place.space_id, behind, 2)
        seen += page
        if behind is None:
            break
    assert sorted(one.conversation.id for one in seen) == sorted(talk.id for talk in talks[:5])
    moments = [one.conversation.last_message_at for one in seen if one.conversation.last_message_at]
    assert moments == sorted(moments, reverse=True)
    assert {one.unread for one in seen} == {1} and seen[0].last_message.text == "hello 4"


def test_several_conversations_are_asked_at_once(session: Session, vault: Vault) -> None:
    place = new_place(session, vault, "+447700900912")
    talks = [join(session, vault, place.integration_id, place.space_id, f"u{n}") for n in range(3)]
    for talk in talks:
        say(session, talk, "a", "b", "c")
    asked = {talks[0].id: 0, talks[1].id: 2, talks[2].id: 3}
    found = service.after_each(session, asked, 2)
    by_talk = {talk.id: [one.seq for one in found if one.conversation_id == talk.id] for talk in talks}
    assert list(by_talk.values()) == [[1, 2], [3], []]


def test_a_reader_who_follows_the_numbers_misses_nothing(engine: Engine, vault: Vault) -> None:
    writers, each = 6, 25
    with session_scope(engine) as session:
        talk = new_conversation(session, vault, "+447700900913")
    done = Event()

    def write(writer: int) -> None:
        for number in range(each):
            client_id = f"{writer}-{number}"
            for _ in range(2):  # whoever is not sure sends again
                with session_scope(engine) as own:
                    service.post(own, talk.id, "user", client_id, f"text {client_id}", NOW)

    def follow() -> list[tuple[int, str]]:
        seen: list[tuple[int, str]] = []
        while True:
            finished = done.is_set()
            with session_scope(engine) as own:
                page = service.after(own, talk.id, seen[-1][0] if seen else 0, 50)
            seen += [(one.seq, one.client_id) for one in page.messages]
            if finished and not page.messages:
                return seen

    with ThreadPoolExecutor(writers + 2) as pool:
        readers = [pool.submit(follow) for _ in range(2)]
        list(pool.map(write, range(writers)))
        done.set()
    for reader in readers:
        seen = reader.result()
        assert [seq for seq, _ in seen] == list(range(1, writers * each + 1))
        assert len({client_id for _, client_id in seen}) == writers * each
