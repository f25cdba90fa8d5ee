"""The waiting list's page without scripts: found, accepted and rejected by plain forms."""

import re
import secrets
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.core.access import waitlist
from api.http.services import Services
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, SLUG

PAGE = "/app/waitlist"


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    user: str
    email: str


@pytest.fixture
def people(app: FastAPI, integration_id: str) -> list[Person]:
    """Three who have just joined."""
    at: Services = app.state.services
    users = [f"w-{secrets.token_hex(4)}" for _ in range(3)]
    with at.transaction() as session:
        joined = {
            user: waitlist.join(session, at.vault, integration_id, user, at.clock(), f"{user}@example.org")
            for user in users
        }
    return [Person(entry_id, user, f"{user}@example.org") for user, entry_id in joined.items()]


def act(client: TestClient, query: str = "", **form: object) -> str:
    """Where the form leads to."""
    answer = client.post(f"{PAGE}/decide{query}", data={"token": secrets.token_hex(), **form})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def found(client: TestClient, person: Person) -> str:
    return client.get(PAGE, params={"q": person.user, "status": "all"}).text


def test_somebody_is_found_by_the_whole_address_only(founder: TestClient, people: list[Person]) -> None:
    one = people[0]
    for words in (one.email, f" {one.email.upper()} ", one.user):
        page = founder.get(PAGE, params={"q": words}).text
        assert one.user in page and "w•••@example.org" in page and people[1].user not in page
    for words in (one.email[:-1], "%", "w-", "+49 170"):
        assert "Nobody found" in founder.get(PAGE, params={"q": words}).text
    assert one.email not in founder.get(f"{PAGE}?status=all").text


def test_one_two_and_a_second_opinion(founder: TestClient, people: list[Person]) -> None:
    one, two, three = people
    where = act(founder, f"?status=all&q={one.user}", accept=one.id)
    assert "did=accept&decided=1" in where and f"q={one.user}" in where
    assert "1 person accepted." in founder.get(where).text
    where = act(founder, action="reject", ids=[one.id, two.id])
    assert "decided=1&skipped=1" in where
    assert "1 had been decided on before" in founder.get(where).text
    assert 'class="badge accepted"' in found(founder, one)
    assert 'class="badge rejected"' in found(founder, two)
    assert "decided" not in act(founder, action="accept")
    assert f'value="{three.id}"' in found(founder, three)


def test_the_next_in_line_and_a_double_click(founder: TestClient, people: list[Person]) -> None:
    form = {"token": secrets.token_hex(), "first_n": 2}
    answers = [founder.post(f"{PAGE}/decide", data=form) for _ in range(2)]
    assert [answer.headers["location"] for answer in answers] == [
        f"{PAGE}?status=waiting&did=accept&decided=2&skipped=0"
    ] * 2
    accepted = founder.get(answers[0].headers["location"]).text
    assert "2 people accepted." in accepted


@pytest.mark.parametrize("form", [{"first_n": 0}, {"first_n": 1001}, {"action": "admit", "ids": ["x"]}])
def test_forms_that_nobody_filled_in_change_nothing(founder: TestClient, form: dict[str, object]) -> None:
    answer = founder.post(f"{PAGE}/decide", data={"token": "t", **form})
    assert answer.status_code == 422


def test_ids_of_others_are_passed_over(
    people: list[Person], visit: Visit, outbox: Outbox, founder: TestClient
) -> None:
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    where = act(other, action="accept", ids=[people[0].id, "wle_none", "x" * 100])
    assert "decided=0" in where and "Nobody was accepted." in other.get(where).text
    assert "waiting" in founder.get(PAGE).text and f'value="{people[0].id}"' in found(founder, people[0])
    assert other.get(f"{PAGE}?space={SLUG}", headers={"Accept": "text/html"}).status_code == 404


def test_the_list_goes_on_page_by_page(founder: TestClient) -> None:
    seen: set[str] = set()
    path = f"{PAGE}?space={SLUG}&status=all"
    while path:
        page = founder.get(path).text
        users = re.findall(r'class="person">\s*<a [^>]+><code>([^<]+)</code>', page)
        assert not seen & set(users)
        seen |= set(users)
        further = re.search(r'href="([^"]+)" rel="next"', page)
        path = further.group(1).replace("&amp;", "&") if further else ""
    assert len(seen) > 100
    assert founder.get(f"{PAGE}?cursor=x").status_code == 422
