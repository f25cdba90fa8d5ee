"""Lives of a partner's users, in any order that hypothesis thinks of, over real HTTP against a model of them.

join → accept or reject → code → exchange → heartbeat → revoke → come back; codes used twice or wrongly.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.contract.conftest import SITE, Service

API = "/api/integration/v1"
URL = f"{SITE}/welcome"
MOST_PEOPLE = 3


@dataclass(slots=True)
class Person:
    """`grant` is the active one; `known_grants` all there were."""

    user: str
    entry_id: str
    referral_code: str
    page: str
    verifier: str
    status: str = "waiting"
    grant: str | None = None
    known_grants: list[str] = field(default_factory=list)
    live: bool = False
    robbed: bool = False


@dataclass(slots=True)
class Code:
    person: Person
    text: str
    used_for: str | None = None


some = st.integers(0, MOST_PEOPLE - 1)
"""One of the few people, or of their newest codes: few enough that histories get long."""


class Lives(RuleBasedStateMachine):
    service: ClassVar[Service]

    def __init__(self) -> None:
        super().__init__()
        self.partner, self.founder = self.service.partner, self.service.founder
        self.everyone: list[Person] = []
        self.codes: list[Code] = []

    def person(self, number: int) -> Person:
        return self.everyone[number % len(self.everyone)]

    def code(self, number: int) -> Code:
        return self.codes[-1 - number % min(len(self.codes), MOST_PEOPLE)]

    @initialize()
    def arrive(self) -> None:
        """The usual way, all at once: joined, accepted, back with a code."""
        self.join(None)
        self.decide(0, "accept")
        self.look(0)

    @precondition(lambda self: len(self.everyone) < MOST_PEOPLE)
    @rule(referrer=st.none() | some)
    def join(self, referrer: int | None) -> None:
        verifier = secrets.token_urlsafe(48)
        body = start_of(f"m-{uuid4()}", verifier)
        if referrer is not None:
            body["referral_code"] = self.person(referrer).referral_code
        answer = self.partner.post(f"{API}/waitlist/start", json=body)
        assert answer.status_code == 201
        started = answer.json()
        entry, page = started["entry"], started["redirect_url"]
        user = body["external_user_id"]
        self.everyone.append(Person(user, entry["id"], entry["referral_code"], page, verifier))

    @rule(number=some)
    def join_again(self, number: int) -> None:
        person = self.person(number)
        answer = self.partner.post(f"{API}/waitlist/start", json=start_of(person.user, person.verifier))
        entry = answer.json()["entry"]
        assert (answer.status_code, entry["id"], entry["status"]) == (200, person.entry_id, person.status)
        assert (entry["position"] is not None) == (person.status == "waiting")

    @rule(number=some, action=st.sampled_from(["accept", "accept", "reject"]))
    def decide(self, number: int, action: str) -> None:
        person = self.person(number)
        wanted = {"accept": "accepted", "reject": "rejected"}[action]
        answer = self.founder.post(f"/api/founder/v1/entries/{person.entry_id}/{action}")
        if person.status in {"waiting", wanted}:
            person.status = wanted
            assert (answer.status_code, answer.json()["status"]) == (200, wanted)
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, "already_decided")

    @rule(number=some)
    def look(self, number: int) -> None:
        """The visitor's page: a place in line, a refusal, or the way back with a fresh code."""
        person = self.person(number)
        answer = httpx.get(person.page)
        if person.status != "accepted":
            assert answer.status_code == 200
            assert ("You are on the list" in answer.text) == (person.status == "waiting")
            return
        assert answer.status_code == 302
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        assert query["state"] == ["s"]
        self.codes.append(Code(person, query["code"][0]))

    @rule(number=some, mistake=st.sampled_from(["verifier", "no verifier", "url", "code"]))
    def exchange_wrongly(self, number: int, mistake: str) -> None:
        """Refused without a reason; a code that was used already loses its grant by it."""
        code = self.code(number)
        body = exchange_of(code)
        if mistake == "verifier":
            body["code_verifier"] = secrets.token_urlsafe(48)
        elif mistake == "no verifier":
            del body["code_verifier"]
        elif mistake == "url":
            body["return_url"] = URL + "/"
        else:
            body["code"] = secrets.token_urlsafe(32)
        refused(self.partner.post(f"{API}/access/exchange", json=body))
        if mistake != "code":
            self.reused(code)

    @rule(number=some)
    def exchange(self, number: int) -> None:
        code = self.code(number)
        answer = self.partner.post(f"{API}/access/exchange", json=exchange_of(code))
        person = code.person
        if code.used_for is not None:
            refused(answer)
            self.reused(code)
            return
        assert answer.status_code == 200
        grant = answer.json()["grant"]
        assert answer.json()["user"]["external_user_id"] == person.user
        if person.grant is None:
            assert grant["id"] not in person.known_grants
            person.known_grants.append(grant["id"])
        else:
            assert grant["id"] == person.grant
        person.grant = code.used_for = grant["id"]

    @rule(number=some)
    def exchange_and_lose_the_answer(self, number: int) -> None:
        """The same request with the same key gets the same grant."""
        code = self.code(number)
        if code.used_for is not None:
            return
        headers = {"Idempotency-Key": str(uuid4())}
        answers = [
            self.partner.post(f"{API}/access/exchange", json=exchange_of(code), headers=headers)
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        code.person.grant = code.used_for = answers[0].json()["grant"]["id"]
        if code.person.grant not in code.person.known_grants:
            code.person.known_grants.append(code.person.grant)

    @rule(number=some, status=st.sampled_from(["live", "left"]))
    def heartbeat(self, number: int, status: str) -> None:
        person = self.person(number)
        beat = {"external_user_id": person.user, "status": status}
        answer = self.partner.post(f"{API}/heartbeat", json={"users": [beat]}).json()
        admitted = person.grant is not None
        assert (answer["accepted"], answer["rejected"]) == ((1, 0) if admitted else (0, 1))
        if admitted:
            person.live, person.robbed = status == "live", False

    @rule(number=some)
    def revoke(self, number: int) -> None:
        person = self.person(number)
        if not person.known_grants:
            return
        answer = self.partner.delete(f"{API}/access/grants/{person.known_grants[-1]}")
        assert answer.status_code == 200 and answer.json()["revoked_at"]
        if person.grant == person.known_grants[-1]:
            person.grant, person.live, person.robbed = None, False, False

    @rule(number=some)
    def look_at_grants(self, number: int) -> None:
        person = self.person(number)
        for grant_id in person.known_grants:
            found = self.partner.get(f"{API}/access/grants/{grant_id}").json()
            assert (found["external_user_id"], found["entry_id"]) == (person.user, person.entry_id)
            assert (found["revoked_at"] is None) == (grant_id == person.grant)

    @invariant()
    def who_is_live_has_access(self) -> None:
        """After a theft the last heartbeat may count until its window closes, and none comes after it."""
        listed = {user["external_user_id"] for user in live_users(self.partner)}
        for person in self.everyone:
            if not person.robbed:
                assert (person.user in listed) == person.live

    def reused(self, code: Code) -> None:
        if code.used_for is not None and code.person.grant == code.used_for:
            code.person.grant, code.person.live, code.person.robbed = None, False, True


def start_of(user: str, verifier: str) -> dict[str, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return {
        "mode": "redirect",
        "external_user_id": user,
        "return_url": URL,
        "state": "s",
        "code_challenge": challenge,
    }


def exchange_of(code: Code) -> dict[str, str]:
    return {"code": code.text, "return_url": URL, "code_verifier": code.person.verifier}


def refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_grant")


def live_users(partner: httpx.Client) -> Iterator[dict[str, Any]]:
    cursor = ""
    while cursor is not None:
        page = partner.get(f"{API}/users/live", params={"cursor": cursor}).json()
        yield from page["data"]
        cursor = page["next_cursor"]


def test_lives(service: Service) -> None:
    machine = type("LivesHere", (Lives,), {"service": service})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # the steps are few enough to read, and shrinking them takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
