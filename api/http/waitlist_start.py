"""`POST /api/integration/v1/waitlist/start`: a partner's back end sends a visitor to the waiting list."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, FiniteFloat, StringConstraints, model_validator

from api.core.access import milestones, starts, waitlist
from api.core.access import service as access
from api.core.access.entries import Status
from api.core.access.starts import Mode, Started, Way
from api.core.access.waitlist import Applicant
from api.core.founders import identifiers
from api.db.engine import Session
from api.http.deps import At, Partner
from api.http.idempotency import IDEMPOTENCY_CODES, Answer, PartnerOnce
from api.http.integration import ExternalUserId
from api.http.problems import PARTNER_CODES, documented
from api.http.services import Services
from api.http.shapes import Moment

router = APIRouter(prefix="/api/integration/v1", tags=["integration"])
_CODES = (
    *PARTNER_CODES,
    "return_url_not_allowed",
    "origin_not_allowed",
    "onboarding_paused",
    "email_invalid",
    "phone_invalid",
    *IDEMPOTENCY_CODES,
)

_VISIBLE = r"^[\x21-\x7e]+$"
Address = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=_VISIBLE)]
State = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[\x20-\x7e]+$")]
Challenge = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
ReferralCode = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_VISIBLE)]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_.-]+$")]
MetadataText = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
MetadataNumber = Annotated[int, Field(ge=-(2**53), le=2**53)]
MetadataValue = MetadataText | bool | MetadataNumber | FiniteFloat | None
Metadata = Annotated[Mapping[MetadataKey, MetadataValue], Field(max_length=50)]


class StartIn(BaseModel):
    """`redirect` needs `return_url` and `state`, `embedded` needs `embed_origin`; both as registered.

    `code_challenge` is PKCE's S256: base64url(SHA-256(verifier)). A referral code that nobody has is passed
    over. Of someone who has joined before, e-mail, phone, referral and metadata stay as they were."""

    mode: Mode
    external_user_id: ExternalUserId
    email: Annotated[str, StringConstraints(max_length=320)] | None = None
    phone: Annotated[str, StringConstraints(max_length=40)] | None = None
    return_url: Address | None = None
    state: State | None = None
    code_challenge: Challenge | None = None
    embed_origin: Address | None = None
    referral_code: ReferralCode | None = None
    metadata: Metadata = Field(default_factory=dict[str, Any])

    @model_validator(mode="after")
    def _complete(self) -> "StartIn":
        if self.mode == "redirect" and (self.return_url is None or self.state is None):
            raise ValueError("redirect needs return_url and state")
        if self.mode == "embedded" and self.embed_origin is None:
            raise ValueError("embedded needs embed_origin")
        return self


class StartedEntryOut(BaseModel):
    id: str
    status: Status
    position: int | None
    referral_code: str


class EmbedOut(BaseModel):
    url: str
    token: str


class StartOut(BaseModel):
    """Send the visitor's browser to `redirect_url`, or put `embed.url` into an iframe. Both hold nothing but
    a token, good until `expires_at`; start again for a new one."""

    id: str
    object: Literal["waitlist_start"] = "waitlist_start"
    entry: StartedEntryOut
    redirect_url: str | None
    embed: EmbedOut | None
    expires_at: Moment


@router.post(
    "/waitlist/start",
    status_code=201,
    response_model=StartOut,
    responses={200: {"model": StartOut, "description": "The user had joined before"}, **documented(*_CODES)},
)
def waitlist_start(at: At, integration_id: Partner, body: StartIn, once: PartnerOnce) -> Response:
    """201 for someone new, 200 for someone who has joined before. Pausing refuses new people only."""
    who, way = _applicant(body), _way(body)

    def act(session: Session) -> Answer:
        now = at.clock()
        integration = access.called(session, integration_id, now)
        starts.check_registered(integration, way)
        paused = at.flags.onboarding_paused(integration.space_id)
        entry_id, is_new = waitlist.enter(session, at.vault, integration_id, who, now, paused=paused)
        started = starts.start(session, entry_id, integration_id, way, now)
        milestones.reached(session, integration_id, "waitlist_start", now)
        return (201 if is_new else 200), _out(session, at, entry_id, way, started)

    return once.answer(act)


def _applicant(body: StartIn) -> Applicant:
    """Raises `Refused` `email_invalid`, `phone_invalid`."""
    return Applicant(
        external_user_id=body.external_user_id,
        email=identifiers.email(body.email).value if body.email is not None else None,
        phone=identifiers.phone(body.phone).value if body.phone is not None else None,
        referral_code=body.referral_code,
        metadata=body.metadata,
    )


def _way(body: StartIn) -> Way:
    """Only what the mode has a use for."""
    if body.mode == "redirect":
        return Way("redirect", body.return_url, body.state, None, body.code_challenge)
    return Way("embedded", None, body.state, body.embed_origin, body.code_challenge)


def _out(session: Session, at: Services, entry_id: str, way: Way, started: Started) -> StartOut:
    base = f"{at.settings.platform.public_app_url.rstrip('/')}/w"
    entry = waitlist.entry(session, entry_id)
    embed = EmbedOut(url=f"{base}/embed/{started.token}", token=started.token)
    return StartOut(
        id=started.id,
        entry=StartedEntryOut.model_validate(
            {
                "id": entry_id,
                "status": entry.status,
                "position": waitlist.position(session, entry_id),
                "referral_code": entry.referral_code,
            }
        ),
        redirect_url=f"{base}/{started.token}" if way.mode == "redirect" else None,
        embed=embed if way.mode == "embedded" else None,
        expires_at=started.expires_at,
    )
