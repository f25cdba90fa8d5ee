"""The dashboard: how far people got, how many were in over the last day, who joined."""

from datetime import timedelta
from functools import partial

from fastapi import APIRouter, Request, Response

from api.core.access import service as access
from api.core.access import waitlist
from api.core.presence import minutes
from api.core.presence import service as presence
from api.db.engine import driver_connection
from api.http.deps import At, SignedIn
from api.http.pages import charts, spaces
from api.http.pages import format as words
from api.http.pages.rendering import render
from api.http.pages.spaces import Slug

router = APIRouter(prefix="/app", include_in_schema=False)
_DAYS = 30
_REACH, _STEP = timedelta(hours=24), timedelta(minutes=10)
_NEWEST = 8


@router.get("")
def dashboard(request: Request, at: At, who: SignedIn, slug: Slug = None) -> Response:
    now = at.clock()
    with at.transaction() as session:
        choice = spaces.choose(session, who, slug)
        if choice.space is None:
            return render(request, "no_space.html", {"who": who}, title="Welcome")
        space = access.space(session, who.id, choice.space.slug)
        connection = driver_connection(session)
        ids, window = space.integration_ids, at.settings.service.live_ttl_seconds
        live = at.live_counts.of(ids, partial(presence.count_live, connection, ids, now, window))
        day = minutes.series(connection, space.integration_ids, now, _REACH, _STEP)
        joined = access.joined_per_day(session, space.id, now, _DAYS)
        newest = waitlist.newest(session, space.id, _NEWEST)
    per_day = [(words.day(when), number) for when, number in joined]
    shown = {
        "who": who,
        "spaces": choice.spaces,
        "space": space,
        "live": live,
        "day": day,
        "day_chart": charts.area(day, now - _REACH, now, _STEP),
        "joined": per_day,
        "joined_chart": charts.bars(per_day),
        "newest": newest,
        "paused": at.flags.onboarding_paused(space.id),
        "now": now,
    }
    return render(request, "dashboard.html", shown, title=space.name)
