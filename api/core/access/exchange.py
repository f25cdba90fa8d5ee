"""Exchanging access codes for grants, many at a time, each as if it were alone.

Read, decide (`exchange_rules`), then claim by a conditional update: an attempt whose code or entry another
one has claimed meanwhile is decided anew on what is stored then. Safe to repeat: an attempt that was granted
before the connection broke recognises itself by its key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from api.core.access import exchange_queries as queries
from api.core.access.exchange_queries import Claim
from api.core.access.exchange_rules import Attempt, CodeFacts, Deny, GrantFacts, Replay, decide
from api.core.ids import new_id


@dataclass(frozen=True, slots=True)
class Exchanged:
    grant_id: str
    created_at: datetime
    entry_id: str
    user_id: str
    external_user_id: str


Outcome = Exchanged | Deny


async def exchange(connection: AsyncConnection[Any], attempts: Sequence[Attempt]) -> list[Outcome]:
    """The outcome of each attempt, in their order."""
    outcomes: dict[int, Outcome] = {}
    waiting = dict(enumerate(attempts))
    while waiting:
        settled = await _round(connection, waiting)
        outcomes |= settled
        waiting = {place: tried for place, tried in waiting.items() if place not in settled}
    return [outcomes[place] for place in range(len(attempts))]


async def _round(connection: AsyncConnection[Any], waiting: dict[int, Attempt]) -> dict[int, Outcome]:
    """Settles all but those who must see first what another attempt makes of their code or entry."""
    known = await queries.facts(connection, sorted({tried.code_sha256 for tried in waiting.values()}))
    settled: dict[int, Outcome] = {}
    claims: dict[int, tuple[Claim, Exchanged]] = {}
    taken: set[str] = set()
    revoked: dict[str, datetime] = {}
    for place, tried in waiting.items():
        code = known.get(tried.code_sha256)
        if code is not None and code.entry_id in taken:
            continue
        verdict = decide(code, tried)
        if isinstance(verdict, Deny):
            settled[place] = verdict
            if verdict.revokes:
                revoked[verdict.revokes] = tried.at
        elif code is not None and isinstance(verdict, Replay):
            settled[place] = _exchanged(code, verdict.grant)
        elif code is not None:
            taken.add(code.entry_id)
            claims[place] = _claim(code, tried, verdict.grant)
    if claims:
        won = await queries.use(connection, [claim for claim, _ in claims.values()])
        settled |= {place: given for place, (claim, given) in claims.items() if claim.code_sha256 in won}
    if revoked:
        await queries.revoke(connection, sorted(revoked), max(revoked.values()))
    return settled


def _claim(code: CodeFacts, tried: Attempt, active: GrantFacts | None) -> tuple[Claim, Exchanged]:
    grant = active or GrantFacts(new_id("grt"), tried.at, None)
    claim = Claim(
        tried.code_sha256,
        tried.key,
        tried.integration_id,
        code.external_user_id,
        tried.at,
        grant.id,
        active is None,
    )
    return claim, _exchanged(code, grant)


def _exchanged(code: CodeFacts, grant: GrantFacts) -> Exchanged:
    return Exchanged(grant.id, grant.created_at, code.entry_id, code.user_id, code.external_user_id)
