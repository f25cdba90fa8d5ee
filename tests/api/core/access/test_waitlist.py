"""Joining and being decided on: once each, whoever asks at the same time."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.access import deciding, entries, service, waitlist
from api.core.access.waitlist import Applicant
from api.core.crypto import Vault
from api.core.errors import Conflict, NotFound, Refused
from api.db.engine import session_scope
from tests.api.core.places import Place, new_place
from tests.product import NOW


def joined(session: Session, vault: Vault, place: Place, *users: str) -> list[str]:
    return [waitlist.join(session, vault, place.integration_id, user, NOW) for user in users]


def test_joining_twice_is_joining_once(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    first = waitlist.join(session, vault, place.integration_id, "anna", NOW, "anna@example.com")
    again = Applicant("anna", phone="+15550100009")
    assert waitlist.enter(session, vault, place.integration_id, again, NOW, paused=True) == (first, False)
    space = service.space(session, place.founder_id, place.slug)
    assert space.entries == {"total": 1, "waiting": 1, "accepted": 0, "rejected": 0}


def test_nobody_new_joins_while_onboarding_is_paused(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    with pytest.raises(Conflict) as refused:
        waitlist.enter(session, vault, place.integration_id, Applicant("anna"), NOW, paused=True)
    assert refused.value.code == "onboarding_paused"


def test_many_who_join_at_once_get_a_number_each_and_one_entry_per_user(engine: Engine, vault: Vault) -> None:
    with session_scope(engine) as session:
        place = new_place(session, vault, "+447700900904")
        (referrer,) = joined(session, vault, place, "first")
        code = entries.view(session, vault, place.founder_id, referrer).referral_code

    def join(user: str) -> str:
        with session_scope(engine) as own:
            return waitlist.join(own, vault, place.integration_id, user, NOW, referral_code=code)

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(join, [f"u{number % 20}" for number in range(80)]))
    assert len(set(ids)) == 20
    with session_scope(engine) as session:
        stored = session.execute(
            text("select count(*), count(distinct ordinal) from entries where space_id = :s"),
            {"s": place.space_id},
        ).one()
        assert tuple(stored) == (21, 21)
        assert entries.view(session, vault, place.founder_id, referrer).referrals == 20


def test_a_referral_moves_up_who_referred(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    ids = joined(session, vault, place, *(f"u{number:02d}" for number in range(30)))
    code = entries.view(session, vault, place.founder_id, ids[25]).referral_code
    assert waitlist.position(session, ids[25]) == 26
    waitlist.join(session, vault, place.integration_id, "friend", NOW, referral_code=code)
    waitlist.join(session, vault, place.integration_id, "friend", NOW, referral_code=code)
    assert waitlist.position(session, ids[25]) == 17  # behind the one whose number it reached
    waitlist.join(session, vault, place.integration_id, "stray", NOW, referral_code="nobody's")
    assert entries.view(session, vault, place.founder_id, ids[25]).referrals == 1


def test_an_entry_is_decided_on_once(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    joined(session, vault, place, "anna")
    (entry,) = waitlist.oldest_waiting(session, place.integration_id, 5)
    assert waitlist.accept(session, entry, NOW) and not waitlist.accept(session, entry, NOW)
    with pytest.raises(Conflict, match="not waiting") as refused:
        waitlist.reject(session, entry, NOW)
    assert refused.value.code == "already_decided"
    assert waitlist.position(session, entry.id) is None
    assert service.space(session, place.founder_id, place.slug).grants == {"total": 0, "active": 0}


def test_two_who_decide_at_once_get_different_people(engine: Engine, vault: Vault) -> None:
    with session_scope(engine) as session:
        place = new_place(session, vault, "+447700900902")
        joined(session, vault, place, "anna", "ben")
    with session_scope(engine) as one, session_scope(engine) as two:
        (first,) = waitlist.oldest_waiting(one, place.integration_id, 1)
        (second,) = waitlist.oldest_waiting(two, place.integration_id, 1)
    assert (first.external_user_id, second.external_user_id) == ("anna", "ben")


def test_many_are_decided_on_with_an_outcome_for_each(session: Session, vault: Vault) -> None:
    mine, theirs = new_place(session, vault), new_place(session, vault, "+447700900905")
    anna, ben, chen, dora = joined(session, vault, mine, "anna", "ben", "chen", "dora")
    (foreign,) = joined(session, vault, theirs, "eve")
    deciding.decide(session, mine.founder_id, anna, "accept", NOW)
    deciding.decide(session, mine.founder_id, ben, "reject", NOW)
    asked = [anna, ben, chen, chen, foreign, "wle_none"]
    outcomes = deciding.decide_many(session, mine.founder_id, mine.space_id, "accept", asked, NOW)
    assert [(one.id, one.result) for one in outcomes] == [
        (anna, "unchanged"),
        (ben, "conflict"),
        (chen, "decided"),
        (foreign, "not_found"),
        ("wle_none", "not_found"),
    ]
    (last,) = deciding.decide_first(session, mine.founder_id, mine.space_id, "reject", 5, NOW)
    assert last.id == dora
    assert entries.view(session, vault, theirs.founder_id, foreign).position == 1
    audited = session.execute(
        text("select action, subject from audit where actor = :a order by id"), {"a": mine.founder_id}
    ).all()
    assert [tuple(row) for row in audited] == [
        ("entries.accept", anna),
        ("entries.reject", ben),
        ("entries.accept", mine.space_id),
        ("entries.reject", mine.space_id),
    ]


def test_two_bulk_decisions_on_the_same_people_do_not_deadlock(engine: Engine, vault: Vault) -> None:
    with session_scope(engine) as session:
        place = new_place(session, vault, "+447700900906")
        ids = joined(session, vault, place, *(f"u{number}" for number in range(200)))

    def decide(given: tuple[list[str], waitlist.Action]) -> int:
        with session_scope(engine) as own:
            outcomes = deciding.decide_many(own, place.founder_id, place.space_id, given[1], given[0], NOW)
            return sum(outcome.result == "decided" for outcome in outcomes)

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(decide, [(ids, "accept"), (ids[::-1], "reject")] * 4))
    assert sum(counts) == 200


def test_pages_hold_everyone_once_in_line_and_by_age(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    ids = joined(session, vault, place, *(f"u{number:02d}" for number in range(23)))
    for status, expected in (("waiting", ids), (None, ids[::-1])):
        seen: list[str] = []
        after: entries.After | None = None
        while True:
            page = entries.page(session, vault, place.space_id, status, after, 5)
            seen += [view.id for view in page.entries]
            after = page.next_after
            if after is None:
                break
        assert seen == expected
    first = entries.page(session, vault, place.space_id, "waiting", None, 3)
    assert [view.position for view in first.entries] == [1, 2, 3]


@pytest.mark.parametrize(
    ("status", "after"),
    [
        ("waiting", ("x", "1")),
        ("waiting", ("1", str(2**63))),
        (None, ("x", "1")),
        (None, ("2026-01-01", "1")),
        (None, ("2026-01-01T00:00:00+00:00", "")),
    ],
)
def test_a_place_that_is_none_is_refused(
    session: Session, vault: Vault, status: entries.Status | None, after: entries.After
) -> None:
    place = new_place(session, vault)
    with pytest.raises(Refused, match="not one of ours"):
        entries.page(session, vault, place.space_id, status, after, 5)


def test_another_founders_things_do_not_exist(session: Session, vault: Vault) -> None:
    mine, theirs = new_place(session, vault), new_place(session, vault, "+447700900903")
    (foreign,) = joined(session, vault, theirs, "eve")
    with pytest.raises(NotFound):
        service.space(session, mine.founder_id, theirs.slug)
    with pytest.raises(NotFound):
        service.integration(session, mine.founder_id, theirs.integration_id)
    with pytest.raises(NotFound):
        deciding.decide(session, mine.founder_id, foreign, "accept", NOW)
    assert service.integration(session, mine.founder_id, mine.integration_id).id == mine.integration_id


def test_days_without_anyone_are_counted_as_zero(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    joined(session, vault, place, "anna")
    days = service.joined_per_day(session, place.space_id, NOW, 3)
    assert [number for _, number in days] == [0, 0, 1]
