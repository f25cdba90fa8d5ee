"""What partners' pages load: the loader `/widget.js`, and `/widget/frame`, which only they may frame."""

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from api.core.access import service as access
from api.core.errors import NotFound
from api.http.deps import At
from api.http.pages.rendering import STATIC, render

router = APIRouter(include_in_schema=False)
_SOURCE = re.compile(r"https?://[^\s;,'\"]+")  # nothing else could end up in a policy


@router.get("/widget.js")
def loader() -> Response:
    headers = {"Cache-Control": "public, max-age=300", "Cross-Origin-Resource-Policy": "cross-origin"}
    return FileResponse(STATIC / "widget.js", media_type="text/javascript", headers=headers)


@router.get("/widget/frame")
def frame(
    request: Request,
    at: At,
    integration: Annotated[str, Query(max_length=100)] = "",
    origin: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """The frame that speaks to a page at `origin`. Raises `NotFound` where that origin is not registered, and
    what says so cannot be framed at all."""
    with at.transaction() as session:
        origins = [one for one in access.origins(session, integration) if _SOURCE.fullmatch(one)]
    if origin not in origins:
        raise NotFound("There is no widget for this page.")
    page = render(request, "widget_frame.html", {"origin": origin})
    page.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action 'none'; base-uri 'none'; frame-ancestors {' '.join(origins)}"
    )
    return page
