"""The integration API of grants: looked up, and taken back."""

from fastapi import APIRouter

from api.core.access import grants
from api.core.access import service as access
from api.core.presence import service as presence
from api.db.engine import driver_connection
from api.http.deps import At, Partner
from api.http.problems import PARTNER_CODES, documented
from api.http.shapes import GrantOut

router = APIRouter(
    prefix="/api/integration/v1/access/grants",
    tags=["integration"],
    responses=documented(*PARTNER_CODES, "not_found"),
)


@router.get("/{grant_id}")
def get_grant(at: At, integration_id: Partner, grant_id: str) -> GrantOut:
    with at.transaction() as session:
        access.called(session, integration_id, at.clock())
        found = grants.view(session, integration_id, grant_id)
    return GrantOut.model_validate(found, from_attributes=True)


@router.delete("/{grant_id}")
def revoke_grant(at: At, integration_id: Partner, grant_id: str) -> GrantOut:
    """Ends the access now; the user is not live any more. Revoking again changes nothing."""
    now = at.clock()
    with at.transaction() as session:
        access.called(session, integration_id, now)
        revoked = grants.revoke(session, integration_id, grant_id, now)
    with at.transaction() as session:  # after the commit: a heartbeat may just have seen the grant
        presence.leave(driver_connection(session), integration_id, revoked.external_user_id, now)
    return GrantOut.model_validate(revoked, from_attributes=True)
