"""The integration API: what a partner's back end calls with its key."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Header, Query, Request
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.core.access.exchange import Exchanged
from api.core.access.exchange_rules import attempt
from api.core.presence import rules
from api.core.presence.pages import PageAsked
from api.core.presence.rules import Beat
from api.http import cursors, first_times, hot_calls
from api.http.deps import At, Partner
from api.http.exchange_tally import TalliedRoute
from api.http.problems import PARTNER_CODES, documented
from api.http.shapes import GrantOut, LiveUsersOut, Moment, UserOut, live_users

router = APIRouter(prefix="/api/integration/v1", tags=["integration"], responses=documented(*PARTNER_CODES))
exchanges = APIRouter(
    prefix="/api/integration/v1",
    tags=["integration"],
    responses=documented(*PARTNER_CODES),
    route_class=TalliedRoute,
)

# Nothing that cannot be seen: PostgreSQL stores no NUL, no log line should break, and no name should be taken
# for another by its zero-width letters or read backwards by its bidi controls.
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+$"
CODE_VERIFIER = r"^[A-Za-z0-9._~-]{43,128}$"  # RFC 7636, 4.1
ExternalUserId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]

IdempotencyKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_PRINTABLE)]


class BeatIn(BaseModel):
    external_user_id: ExternalUserId
    status: Literal["live", "left"] = "live"
    at: AwareDatetime | None = None


class HeartbeatIn(BaseModel):
    users: list[BeatIn] = Field(min_length=1, max_length=rules.MAX_USERS)


class HeartbeatOut(BaseModel):
    """`rejected` counts users without a grant. Send the next beat in `next_in` seconds."""

    accepted: int
    rejected: int
    live_ttl: int
    next_in: int


class ExchangeIn(BaseModel):
    code: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
    return_url: Annotated[str, StringConstraints(max_length=2000, pattern=_PRINTABLE)] | None = None
    code_verifier: Annotated[str, StringConstraints(pattern=CODE_VERIFIER)] | None = None


class ExchangeOut(BaseModel):
    grant: GrantOut
    user: UserOut

    @classmethod
    def of(cls, found: Exchanged) -> Self:
        grant = GrantOut(
            id=found.grant_id,
            user_id=found.user_id,
            external_user_id=found.external_user_id,
            entry_id=found.entry_id,
            created_at=found.created_at,
            revoked_at=None,
        )
        return cls(grant=grant, user=UserOut(id=found.user_id, external_user_id=found.external_user_id))


class MeOut(BaseModel):
    id: str
    name: str
    space_id: str
    return_urls: list[str]
    origins: list[str]
    webhook_url: str | None
    created_at: Moment


@router.post("/heartbeat")
async def heartbeat(at: At, integration_id: Partner, body: HeartbeatIn) -> HeartbeatOut:
    """Who is in right now. Idempotent; at most 100 users a call."""
    now = at.clock()
    beats = [Beat(user.external_user_id, user.status, rules.clamp(user.at, now)) for user in body.users]
    accepted, rejected = await at.calls.heartbeats.submit((integration_id, beats))
    await first_times.note(at, integration_id, "heartbeat", now)
    return HeartbeatOut(
        accepted=accepted,
        rejected=rejected,
        live_ttl=at.settings.service.live_ttl_seconds,
        next_in=rules.NEXT_IN_SECONDS,
    )


@exchanges.post("/access/exchange", responses=documented(*PARTNER_CODES, "invalid_grant"))
async def exchange(
    request: Request,
    at: At,
    integration_id: Partner,
    body: ExchangeIn,
    idempotency_key: Annotated[IdempotencyKey | None, Header()] = None,
) -> ExchangeOut:
    """Exchange the code that an accepted user brought back for access. Good once: an answer that got lost is
    given again to the same Idempotency-Key within 60 seconds; any other second use takes the access away."""
    now, request_id = at.clock(), request.state.request_id
    key = hot_calls.attempt_key(idempotency_key, request_id)
    tried = attempt(integration_id, body.code, body.return_url, body.code_verifier, key, now)
    found = hot_calls.granted(await at.calls.exchanges.submit(tried), integration_id, request_id)
    await first_times.note(at, integration_id, "exchange", now)
    return ExchangeOut.of(found)


@router.get("/users/live", responses=documented(*PARTNER_CODES, "cursor_invalid"))
async def users_live(
    at: At,
    integration_id: Partner,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> LiveUsersOut:
    """Users whose newest beat is younger than `window_seconds`, in order of their ids."""
    asked = PageAsked(integration_id, cursors.decode(cursor), limit)
    page = await at.calls.live_pages.submit(asked)
    await first_times.note(at, integration_id, "first_call", at.clock())
    return live_users(page)


@router.get("/me")
async def me(at: At, integration_id: Partner) -> MeOut:
    """The integration that the key belongs to: a partner's first call."""
    found = hot_calls.existing(await at.calls.integrations.submit(integration_id), integration_id)
    await first_times.note(at, integration_id, "first_call", at.clock())
    return MeOut.model_validate(found, from_attributes=True)
