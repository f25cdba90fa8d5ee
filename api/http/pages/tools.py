"""The founder's tools: dashboard, integration setup, live users."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.core.access import service as access
from api.core.access import waitlist
from api.core.access.service import SpaceSummary
from api.core.founders.service import FounderView
from api.core.presence import service as presence
from api.core.presence.service import LivePage
from api.db.engine import Session, driver_connection
from api.http.deps import At, SignedIn
from api.http.pages import charts
from api.http.pages import format as words
from api.http.pages.rendering import render
from api.http.services import Services

router = APIRouter(prefix="/app", include_in_schema=False)
Slug = Annotated[str | None, Query(alias="space", max_length=100)]
_DAYS = 30
_LIVE_SHOWN = 50


@router.get("")
def dashboard(request: Request, at: At, who: SignedIn, slug: Slug = None) -> Response:
    with at.transaction() as session:
        spaces, space = _spaces(session, who, slug)
        if space is None:
            return render(request, "no_space.html", {"who": who}, title="Welcome")
        live = _live(session, at, space, limit=1).count
        days = access.joined_per_day(session, space.id, at.clock(), _DAYS)
        newest = waitlist.newest(session, space.id, 8)
    joined = [(words.day(day), number) for day, number in days]
    shown = {
        "who": who,
        "spaces": spaces,
        "space": space,
        "live": live,
        "joined": joined,
        "chart": charts.bars(joined),
        "newest": newest,
        "now": at.clock(),
    }
    return render(request, "dashboard.html", shown, title=space.name)


@router.get("/live")
def live(request: Request, at: At, who: SignedIn, slug: Slug = None) -> Response:
    return _live_page(request, at, who, slug, "live.html")


@router.get("/live/table")
def live_table(request: Request, at: At, who: SignedIn, slug: Slug = None) -> Response:
    """The part of the live page that refreshes itself."""
    return _live_page(request, at, who, slug, "live_table.html")


def _live_page(request: Request, at: Services, who: FounderView, slug: str | None, template: str) -> Response:
    with at.transaction() as session:
        spaces, space = _spaces(session, who, slug)
        if space is None:
            return render(request, "no_space.html", {"who": who}, title="Welcome")
        page = _live(session, at, space, limit=_LIVE_SHOWN)
    names = {one.id: one.name for one in space.integrations}
    shown = {"who": who, "spaces": spaces, "space": space, "page": page, "names": names}
    return render(request, template, shown, title="Live")


def _spaces(
    session: Session, who: FounderView, slug: str | None
) -> tuple[list[tuple[str, str]], SpaceSummary | None]:
    """((slug, name) of the founder's spaces, the one that is shown). Raises `NotFound` for another's."""
    mine = access.spaces_of(session, who.id)
    chosen = slug or (mine[0].slug if mine else None)
    shown = access.space(session, who.id, chosen) if chosen else None
    return [(one.slug, one.name) for one in mine], shown


def _live(session: Session, at: Services, space: SpaceSummary, limit: int) -> LivePage:
    window = at.settings.service.live_ttl_seconds
    connection = driver_connection(session)
    return presence.live(connection, space.integration_ids, at.clock(), window, limit=limit)
