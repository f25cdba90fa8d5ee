"""The live page: how many are in and who, moving by itself while a browser with scripts watches."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from api.core.presence import minutes
from api.core.presence import service as presence
from api.db.engine import driver_connection
from api.http.deps import At, SignedIn
from api.http.live_feed import SHOWN
from api.http.live_stream import LiveEvent
from api.http.pages import spaces
from api.http.pages.rendering import render
from api.http.pages.spaces import Slug

router = APIRouter(prefix="/app/live", include_in_schema=False)
_REACH = timedelta(hours=1)


@router.get("")
def live(request: Request, at: At, who: SignedIn, slug: Slug = None) -> Response:
    now, window = at.clock(), at.settings.service.live_ttl_seconds
    with at.transaction() as session:
        choice = spaces.choose(session, who, slug)
        space = choice.space
        if space is None:
            return render(request, "no_space.html", {"who": who}, title="Welcome")
        connection = driver_connection(session)
        page = presence.live(connection, space.integration_ids, now, window, limit=SHOWN)
        series = minutes.series(connection, space.integration_ids, now, _REACH)
    shown = {
        "who": who,
        "spaces": choice.spaces,
        "space": space,
        "seen": LiveEvent.of(page, space),
        "series": series,
        "now": now,
    }
    return render(request, "live.html", shown, title="Live")
