"""One person's data, for the founder of the space: handed out whole, or deleted for good.

Both need a code from just now, and both are audited.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse

from api.core.privacy import service as privacy
from api.http.deps import At, RecentlyProven
from api.http.problems import FOUNDER_CODES, documented
from api.http.services import Services

_CODES = (*FOUNDER_CODES, "recent_login_required")
router = APIRouter(prefix="/api/founder/v1/users", tags=["founder"], responses=documented(*_CODES))
UserId = Annotated[str, Path(max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


@router.get("/{user_id}/export", responses=documented(*_CODES))
def export(at: At, who: RecentlyProven, user_id: UserId) -> dict[str, Any]:
    """Everything that is kept of the person, e-mail and phone in full."""
    return document(at, who.id, user_id)


@router.delete("/{user_id}", status_code=204, responses=documented(*_CODES, "foreign_origin"))
def delete(at: At, who: RecentlyProven, user_id: UserId) -> Response:
    """Everything goes, in production at once, in restored copies before anyone sees them, from backups with
    their retention. Deleting again changes nothing."""
    forget(at, who.id, user_id)
    return Response(status_code=204)


def document(at: Services, founder_id: str, user_id: str) -> dict[str, Any]:
    with at.transaction() as session:
        return privacy.export_for(session, at.vault, founder_id, user_id, at.clock())


def forget(at: Services, founder_id: str, user_id: str) -> bool:
    with at.transaction() as session:
        return privacy.delete_for(session, founder_id, user_id, at.clock())


def download(found: dict[str, Any]) -> Response:
    """As a file, for a browser."""
    name = f'attachment; filename="{found["user_id"]}.json"'
    return JSONResponse(found, headers={"Content-Disposition": name})
