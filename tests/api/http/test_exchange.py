"""`POST /access/exchange` as partners see it."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.access.exchange_rules import s256
from tests.codes import IssuedCode, issue
from tests.product import BASE_URL

PATH = "/api/integration/v1/access/exchange"
VERIFIER = "a-verifier-that-is-long-enough-for-rfc-7636"
RETURN_URL = "https://partner.example/back"

Code = Callable[..., IssuedCode]


@pytest.fixture
def code(app: FastAPI, integration_id: str) -> Code:
    def issued(**facts: Any) -> IssuedCode:
        at = app.state.services
        with at.transaction() as session:
            return issue(session, integration_id, at.clock(), **facts)

    return issued


def test_a_code_becomes_a_grant_and_a_user(partner: TestClient, code: Code) -> None:
    issued = code(return_url=RETURN_URL, challenge=s256(VERIFIER))
    asked = {"code": issued.code, "return_url": RETURN_URL, "code_verifier": VERIFIER}
    answer = partner.post(PATH, json=asked)
    assert answer.status_code == 200
    grant, user = answer.json()["grant"], answer.json()["user"]
    assert grant["object"] == "grant" and grant["id"].startswith("grt_") and grant["revoked_at"] is None
    assert grant["entry_id"] == issued.entry_id and grant["external_user_id"] == issued.external_user_id
    assert user == {"id": grant["user_id"], "object": "user", "external_user_id": issued.external_user_id}
    assert answer.headers["ratelimit-policy"].startswith('"key";q=')
    assert answer.headers["ratelimit"].startswith('"key";r=')


def test_every_refusal_looks_the_same(partner: TestClient, code: Code) -> None:
    bound = code(return_url=RETURN_URL, challenge=s256(VERIFIER))
    asked: list[dict[str, str]] = [
        {"code": "unknown"},
        {"code": bound.code},
        {"code": bound.code, "return_url": RETURN_URL},
        {"code": bound.code, "return_url": RETURN_URL, "code_verifier": "w" * 43},
        {"code": bound.code, "return_url": RETURN_URL + "/", "code_verifier": VERIFIER},
        {"code": code().code, "code_verifier": VERIFIER},
        {"code": code(status="waiting").code},
    ]
    shown: set[str] = set()
    for body in asked:
        answer = partner.post(PATH, json=body)
        assert answer.status_code == 400
        problem = answer.json()
        del problem["request_id"]
        shown.add(str(problem))
    assert len(shown) == 1 and "'code': 'invalid_grant'" in shown.pop()


def test_a_lost_answer_is_given_again_and_another_use_takes_the_access_away(
    app: FastAPI, partner: TestClient, code: Code
) -> None:
    issued = code()
    key = {"Idempotency-Key": "order-1"}
    answers = [partner.post(PATH, json={"code": issued.code}, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert partner.post(PATH, json={"code": issued.code}).status_code == 400
    with app.state.services.transaction() as session:
        query = "select revoked_at from grants where id = :id"
        found = session.execute(text(query), {"id": answers[0].json()["grant"]["id"]})
        assert found.scalar_one() is not None
    assert partner.post(PATH, json={"code": issued.code}, headers=key).status_code == 400


def test_twenty_four_at_once_one_grant(
    app: FastAPI, partner_keys: dict[str, str], integration_id: str, code: Code
) -> None:
    issued = code()
    headers = {"Authorization": f"Bearer {partner_keys[integration_id]}"}

    async def race() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers) as client:
            return await asyncio.gather(*[client.post(PATH, json={"code": issued.code}) for _ in range(24)])

    statuses = [answer.status_code for answer in asyncio.run(race())]
    assert sorted(statuses) == [200] + [400] * 23
    with app.state.services.transaction() as session:
        query = "select count(*) from grants where entry_id = :e"
        assert session.execute(text(query), {"e": issued.entry_id}).scalar_one() == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/code"),
        ({"code": ""}, "/code"),
        ({"code": "a\x00b"}, "/code"),
        ({"code": 7}, "/code"),
        ({"code": "c", "code_verifier": "short"}, "/code_verifier"),
        ({"code": "c", "return_url": []}, "/return_url"),
    ],
)
def test_what_is_not_as_described_is_pointed_at(
    partner: TestClient, body: dict[str, Any], pointer: str
) -> None:
    answer = partner.post(PATH, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_the_first_exchange_is_a_milestone(
    app: FastAPI, partner: TestClient, integration_id: str, code: Code
) -> None:
    assert partner.post(PATH, json={"code": code().code}).status_code == 200
    query = "select count(*) from milestones where integration_id = :i and key = 'exchange'"
    with app.state.services.transaction() as session:
        assert session.execute(text(query), {"i": integration_id}).scalar_one() == 1
