"""`POST /api/integration/v1/widget/token`: a partner's back end fetches what its page hands to our frame."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from api.core.access import holders, milestones
from api.core.access import service as access
from api.core.chat.token import Bearer
from api.http.deps import At, Partner
from api.http.integration import ExternalUserId
from api.http.problems import PARTNER_CODES, documented
from api.http.services import Services
from api.http.shapes import Moment

router = APIRouter(prefix="/api/integration/v1", tags=["integration"])
_CODES = (*PARTNER_CODES, "origin_not_allowed", "integration_disabled", "no_active_grant")

Origin = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[\x21-\x7e]+$")]


class WidgetTokenIn(BaseModel):
    """`origin` is the origin of the partner's page that the widget stands in, as browsers send it."""

    external_user_id: ExternalUserId
    origin: Origin


class WidgetTokenOut(BaseModel):
    """`frame_url` holds neither the token nor anything about the user."""

    token: str
    expires_at: Moment
    frame_url: str


@router.post("/widget/token", responses=documented(*_CODES))
def widget_token(at: At, integration_id: Partner, body: WidgetTokenIn) -> WidgetTokenOut:
    """For one signed-in user of the partner, who holds a grant, on one registered origin. The page asks for
    the next one before this expires."""
    now = at.clock()
    with at.transaction() as session:
        holders.check_origin(access.called(session, integration_id, now), body.origin)
        holder = holders.of_user(session, integration_id, body.external_user_id)
        milestones.reached(session, integration_id, "widget_token", now)
    bearer = Bearer(holder.user_id, integration_id, holder.grant_id, body.origin)
    lifetime = timedelta(seconds=at.settings.service.widget_token_seconds)
    token, expires_at = at.widget_keys.mint(bearer, lifetime, now)
    return WidgetTokenOut(token=token, expires_at=expires_at, frame_url=_frame_url(at, bearer))


def _frame_url(at: Services, bearer: Bearer) -> str:
    where = urlencode({"integration": bearer.integration_id, "origin": bearer.origin})
    return f"{at.settings.platform.public_app_url.rstrip('/')}/widget/frame?{where}"
