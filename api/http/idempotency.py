"""`Idempotency-Key`: a route acts once per key, and answers again what it has answered before.

    def route(at: At, who: SignedIn, once: FounderOnce) -> Response:
        def act(session: Session) -> Answer:
            return 200, SomethingOut(...)
        return once.answer(act)

`FounderOnce` requires the header, `FounderOnceIfKeyed` and `PartnerOnce` go without it, too. Name
`IDEMPOTENCY_CODES` at the route.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from api.core.errors import Refused
from api.core.idempotency import service as idempotency
from api.core.idempotency.service import Call, Stored
from api.db.engine import Session
from api.http.deps import At, Partner, SignedIn
from api.http.services import Services

IDEMPOTENCY_CODES = ("idempotency_in_flight", "idempotency_key_reused")
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="A new random value for each new request, the same one for a retry within 24 hours",
    ),
]
Answer = tuple[int, BaseModel]
Settle = Callable[[Session, Stored], None]


@dataclass(frozen=True, slots=True)
class Once:
    at: Services
    call: Call | None

    @property
    def key(self) -> str | None:
        return self.call.key if self.call else None

    def answer(self, act: Callable[[Session], Answer]) -> Response:
        """Act in one transaction and answer; without a key just that. What `act` raises frees the key."""

        def together(settle: Settle) -> Stored:
            with self.at.transaction() as session:
                stored = _stored(act(session))
                settle(session, stored)
            return stored

        return self._once(together)

    def answer_after(self, act: Callable[[], Answer]) -> Response:
        """The same for an act on another machine, with no transaction open meanwhile. Whoever dies before the
        answer is written acts again a minute later: the machine has to know the key, too."""

        def in_turn(settle: Settle) -> Stored:
            stored = _stored(act())
            with self.at.transaction() as session:
                settle(session, stored)
            return stored

        return self._once(in_turn)

    def _once(self, acting: Callable[[Settle], Stored]) -> Response:
        call, at = self.call, self.at
        if call is None:
            return _response(acting(_forget))
        claimed_at = at.clock()
        with at.transaction() as session:
            known = idempotency.claim(session, at.vault, call, claimed_at)
        if known is not None:
            return _response(known, replayed=True)
        answered = False
        try:
            stored = acting(
                lambda session, stored: idempotency.answer(session, at.vault, call, claimed_at, stored)
            )
            answered = True
        finally:
            if not answered:
                with at.transaction() as session:
                    idempotency.release(session, call, claimed_at)
        return _response(stored)


async def of_founder(request: Request, at: At, who: SignedIn, key: Key = None) -> Once:
    if key is None:
        raise Refused(
            "This request needs an Idempotency-Key header.",
            fix="Send a new random value with each new request, and the same one with a retry.",
            code="idempotency_key_required",
        )
    return Once(at, await _call(request, who.id, key))


async def of_founder_if_keyed(request: Request, at: At, who: SignedIn, key: Key = None) -> Once:
    return Once(at, await _call(request, who.id, key) if key else None)


async def of_partner(request: Request, at: At, integration_id: Partner, key: Key = None) -> Once:
    return Once(at, await _call(request, integration_id, key) if key else None)


FounderOnce = Annotated[Once, Depends(of_founder)]
FounderOnceIfKeyed = Annotated[Once, Depends(of_founder_if_keyed)]
PartnerOnce = Annotated[Once, Depends(of_partner)]


async def _call(request: Request, caller: str, key: str) -> Call:
    return Call.of(caller, f"{request.method} {request.url.path}", key, await request.body())


def _forget(session: Session, stored: Stored) -> None:
    """Without a key nobody asks for the answer again."""


def _stored(answer: Answer) -> Stored:
    status, body = answer
    return Stored(status, body.model_dump_json())


def _response(stored: Stored, *, replayed: bool = False) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    return Response(stored.body, stored.status, headers, media_type="application/json")
