"""A person's data through the founders' door: handed out and deleted by the space's owner, and only so."""

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, SLUG

API = "/api/founder/v1/users"
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def owner(visit: Visit, outbox: Outbox) -> TestClient:
    client = visit()
    log_in(client, outbox)
    return client


@pytest.fixture(scope="module")
def other(visit: Visit, outbox: Outbox) -> TestClient:
    client = visit()
    log_in(client, outbox, OTHER_PHONE)
    return client


@pytest.fixture
def users(app: FastAPI) -> list[str]:
    """People of the homepage's space who gave an e-mail."""
    query = text(
        "select user_id from entries join spaces on spaces.id = space_id"
        " where slug = :slug and email_cipher is not null order by seq limit 5"
    )
    with app.state.services.transaction() as session:
        return list(session.execute(query, {"slug": SLUG}).scalars())


def test_export_then_delete_and_nothing_is_left(owner: TestClient, users: list[str]) -> None:
    exported = owner.get(f"{API}/{users[0]}/export")
    document = exported.json()
    assert exported.status_code == 200 and exported.headers["cache-control"] == "no-store"
    assert "@example.com" in document["entry"]["email"] and document["exported_at"]
    assert [owner.delete(f"{API}/{users[0]}").status_code for _ in range(2)] == [204, 204]
    gone = owner.get(f"{API}/{users[0]}/export")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")


def test_foreign_and_unknown_are_the_same_404(owner: TestClient, other: TestClient, users: list[str]) -> None:
    owner.delete(f"{API}/{users[1]}")
    for client, user in ((other, users[0]), (other, users[1]), (owner, "usr_none")):
        answers = [client.get(f"{API}/{user}/export"), client.delete(f"{API}/{user}")]
        for answer in answers:
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (404, "not_found")
            assert (
                problem["detail"].replace(user, "")
                == "There is no user ''. Check the id, and who is signed in."
            )
    assert owner.get(f"{API}/a%00b/export").status_code == 422


def test_a_login_of_long_ago_is_not_enough(
    visit: Visit, outbox: Outbox, app: FastAPI, users: list[str]
) -> None:
    late = visit()
    log_in(late, outbox)
    with app.state.services.transaction() as session:
        session.execute(
            text(
                "update sessions set proven_at = proven_at - interval '1 hour'"
                " where id = (select id from sessions order by created_at desc limit 1)"
            )
        )
    for answer in (late.get(f"{API}/{users[0]}/export"), late.delete(f"{API}/{users[0]}")):
        assert (answer.status_code, answer.json()["code"]) == (403, "recent_login_required")
    assert late.get(f"/app/users/{users[0]}", headers=PAGE).status_code == 200


def test_the_page_masks_hands_out_and_deletes(owner: TestClient, other: TestClient, users: list[str]) -> None:
    path = f"/app/users/{users[0]}"
    html = owner.get(path, headers=PAGE).text
    assert "•••@example.com" in html and "Messages" in html
    document = owner.get(f"{path}/export", headers=PAGE)
    assert document.headers["content-disposition"] == f'attachment; filename="{users[0]}.json"'
    assert document.json()["entry"]["email"] not in html
    assert other.get(path, headers=PAGE).status_code == 404
    unsure = owner.post(f"{path}/delete", headers=PAGE)
    assert unsure.status_code == 422 and "Confirm" in unsure.text
    done = owner.post(f"{path}/delete", data={"confirm": "yes"}, headers=PAGE)
    assert (done.status_code, done.headers["location"]) == (303, path)
    after = owner.get(path, headers=PAGE).text
    assert "Deleted" in after and "@example.com" not in after
