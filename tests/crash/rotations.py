"""A world that rotations run in: real rows, real keys and signatures; a product and a partner that look at
them; and a rotator that can be struck dead before any call of its (which is after the one before it), or be
interrupted there by another one."""

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.keys import token
from api.core.ports import OutgoingMessage
from api.core.rotation import service
from api.core.rotation.kinds import Kind
from api.core.rotation.machine import Machine
from api.core.rotation.records import RotationView
from api.core.webhooks import secrets, signing
from api.core.webhooks.attempts import Attempt, Failure
from api.core.webhooks.signing import Verdict
from api.db.engine import session_scope
from api.providers.secret_kinds.api_keys import ApiKeys
from api.providers.secret_kinds.calls import ProductCalls
from api.providers.secret_kinds.partners import Partners
from api.providers.secret_kinds.webhook_secrets import WebhookSecrets
from api.rotating import Rotations
from tests.product import NOW

GRACE = timedelta(hours=1)
_KEY = text("select secret_sha256, expires_at, revoked_at from api_keys where id = :id")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def killed() -> None:
    raise Killed


@dataclass
class World:
    """`strike` is the number of the call that dies; `between` is run before each call, outside of any
    transaction. `known` are the secrets that the partner's validator has, `waited` the seconds that something
    waited for."""

    engine: Engine
    vault: Vault
    now: datetime = NOW
    known: list[str] = field(default_factory=list[str])
    sent: list[OutgoingMessage] = field(default_factory=list[OutgoingMessage])
    waited: list[float] = field(default_factory=list[float])
    calls: int = 0
    strike: int | None = None
    die: Callable[[], None] = killed
    between: Callable[[], None] = lambda: None

    @contextmanager
    def call(self, *, in_a_loop: bool = False) -> Generator[None]:
        if not in_a_loop:  # the other one has a loop of its own
            self.between()
        self.calls += 1
        if self.strike == self.calls:
            self.die()
        yield

    def reborn(self) -> None:
        self.strike = None

    @contextmanager
    def transaction(self) -> Generator[Session]:
        with self.call(), session_scope(self.engine) as session:
            yield session

    @contextmanager
    def alone(self, name: str) -> Generator[bool]:
        yield True  # no lock: what holds must hold without one

    def key_works(self, plaintext: str) -> bool:
        presented = token.parse(plaintext)
        assert presented is not None
        with Session(self.engine) as session:
            row = session.execute(_KEY, {"id": presented.key_id}).one_or_none()
        if row is None or row[0] != presented.secret_sha256 or row[2] is not None:
            return False
        return row[1] is None or self.now < row[1]

    def valid_secrets(self, integration_id: str) -> list[str]:
        with Session(self.engine) as session:
            return secrets.valid(session, self.vault, integration_id, self.now)

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self.call():
            key = request.headers["authorization"].removeprefix("Bearer ")
            if not self.key_works(key):
                return httpx.Response(401, json={"code": "invalid_api_key"})
            status = 201 if request.method == "POST" else 422
            return httpx.Response(status, json={"code": "cursor_invalid"} if status == 422 else {})

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        with self.call(in_a_loop=True):
            verdict = signing.verify(self.known, headers, body, self.now)
            assert json.loads(body)["type"] == "webhook.test"
            good = verdict is Verdict.GENUINE
            return Attempt(None if good else Failure.REFUSED, 200 if good else 401, 1)

    name = "outbox"

    def send(self, message: OutgoingMessage) -> str:
        with self.call():
            self.sent.append(message)
            return "m"

    def rotations(self) -> Rotations:
        partners = Partners(self.transaction, self.vault, self, "http://product.test")
        calls = ProductCalls("http://product.test", httpx.MockTransport(self.answer))
        kinds: list[Kind] = [
            ApiKeys(self.transaction, self.vault, calls, partners),
            WebhookSecrets(
                self.transaction, self.vault, lambda: self, partners, lambda: self.now, self.waited.append
            ),
        ]
        by_name = {kind.kind: kind for kind in kinds}
        return Rotations(Machine(self.transaction, self.alone, by_name, lambda: self.now), self.vault)


def done(rotations: Rotations, name: str, world: World) -> RotationView:
    """Whatever there is of the rotation, run to its end: what a flow does every hour."""
    rotations.machine.finish(name)
    world.now += GRACE
    rotations.machine.finish(name)
    with world.transaction() as session:
        return service.recent(session, 1, name)[0]
