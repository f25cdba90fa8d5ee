"""The routes. `create_app(settings)`; `python -m partner` serves it."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from . import webhooks
from .firstuser import FirstUser, Refused
from .pages import Pages
from .presence import Presence
from .sessions import COOKIE, Session, Sessions
from .settings import Settings

_USER_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_BODY = 256 * 1024
_log = logging.getLogger("partner")


def create_app(settings: Settings) -> Starlette:
    webhooks.check(settings.webhook_secrets)
    partner = Partner(settings)
    return Starlette(
        routes=[
            Route("/", partner.home),
            Route("/signup", partner.sign_up, methods=["POST"]),
            Route("/join", partner.join, methods=["POST"]),
            Route("/firstuser/callback", partner.callback),
            Route("/app", partner.product),
            Mount("/public", StaticFiles(directory=Path(__file__).parent / "public")),
            Route("/firstuser/widget-token", partner.widget_token, methods=["POST"]),
            Route("/logout", partner.log_out, methods=["POST"]),
            Route("/hooks/firstuser", partner.webhook, methods=["POST"]),
            Route("/healthz", partner.health),
        ],
        exception_handlers={httpx.TransportError: partner.unreachable},
        lifespan=partner.lifespan,
    )


class Partner:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sessions = Sessions()
        self._firstuser = FirstUser(settings)
        self._presence = Presence(self._firstuser, self._sessions)
        self._seen = webhooks.Seen()
        self._pages = Pages(settings.firstuser_url)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncGenerator[None]:
        beating = asyncio.create_task(self._presence.beat_forever())
        yield
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        await self._presence.all_left()
        await self._firstuser.close()

    async def home(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return self._pages.welcome()
        return RedirectResponse("/app", 303) if session.admitted else self._pages.ask(session.user_id)

    async def sign_up(self, request: Request) -> Response:
        """Stands for your own sign-up and login: here a name is enough to be somebody."""
        form = parse_qs((await _raw_body(request)).decode(errors="replace"))
        user_id = form.get("user_id", [""])[0]
        if not _USER_ID.fullmatch(user_id):
            return self._pages.sorry("A name has up to 64 letters, digits, dots and dashes.", 422)
        await self._end(request)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE,
            self._sessions.open(user_id),
            httponly=True,
            samesite="lax",
            secure=self._settings.partner_url.startswith("https://"),
        )
        return response

    async def join(self, request: Request) -> Response:
        """Off to the waiting list. State and verifier stay in the session."""
        session = self._session(request)
        if session is None:
            return RedirectResponse("/", 303)
        try:
            started = await self._firstuser.start(session.user_id)
        except Refused as error:
            _log.warning("waitlist start refused user=%s: %s", session.user_id, error)
            return self._pages.sorry("The waiting list does not take anyone at the moment.", 503)
        session.remember(started.state, started.verifier)
        _log.info("waitlist started user=%s", session.user_id)
        return RedirectResponse(started.redirect_url, 303)

    async def callback(self, request: Request) -> Response:
        """Back from the waiting list with a code. Only the browser that asked may use it."""
        session = self._session(request)
        code, state = request.query_params.get("code", ""), request.query_params.get("state", "")
        verifier = session.recall(state) if session else None
        if session is None or verifier is None or not code:
            _log.warning("callback refused: the state is not this browser's")
            return self._pages.sorry("This visit did not start in this browser. Start again.", 400)
        try:
            user_id = await self._firstuser.exchange(code, verifier)
        except Refused as error:
            _log.warning("exchange refused user=%s: %s", session.user_id, error)
            return self._pages.sorry("The access code did not work. Start again.", 403)
        if user_id != session.user_id:
            _log.warning("exchange refused: the code was for %s, not for %s", user_id, session.user_id)
            return self._pages.sorry("That access is someone else's.", 403)
        session.admitted = True
        self._presence.entered()
        _log.info("access granted user=%s", user_id)
        return RedirectResponse("/app", 303)

    async def product(self, request: Request) -> Response:
        """The product itself, with FirstUser's chat on the page."""
        session = self._session(request)
        if session is None or not session.admitted:
            return RedirectResponse("/", 303)
        return self._pages.product(session.user_id)

    async def widget_token(self, request: Request) -> Response:
        """For the page's widget. Whose token it is, the session says and never the browser."""
        session = self._session(request)
        if session is None or not session.admitted:
            return JSONResponse({"error": "not signed in"}, 401)
        try:
            token = await self._firstuser.widget_token(session.user_id)
        except Refused as error:
            _log.warning("widget token refused user=%s: %s", session.user_id, error)
            if error.code == "no_active_grant":
                self._sessions.dismiss(session.user_id)
            return JSONResponse({"error": error.code}, 403)
        return JSONResponse(token, headers={"Cache-Control": "no-store"})

    async def log_out(self, request: Request) -> Response:
        await self._end(request)
        response = RedirectResponse("/", 303)
        response.delete_cookie(COOKIE)
        return response

    async def webhook(self, request: Request) -> Response:
        """Verify the bytes before anything looks into them; 2xx only for what was handled."""
        body = await _raw_body(request)
        refusal = webhooks.refusal(self._settings.webhook_secrets, request.headers, body, time.time())
        if refusal:
            _log.warning("webhook refused: %s", refusal)
            return JSONResponse({"error": refusal}, 401)
        event = webhooks.event(body)
        if event is None:
            _log.warning("webhook refused: the body is no event")
            return JSONResponse({"error": "the body is no event"}, 400)
        message_id = request.headers["webhook-id"]
        duplicate = message_id in self._seen
        if not duplicate:
            self._handle(event["type"])
            self._seen.add(message_id)
        _log.info("webhook id=%s type=%s duplicate=%s", message_id, event["type"], duplicate)
        return JSONResponse({"received": True, "duplicate": duplicate})

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def unreachable(self, request: Request, error: Exception) -> Response:
        _log.error("FirstUser cannot be reached: %s", type(error).__name__)
        return self._pages.sorry("We cannot reach the waiting list. Try again in a minute.", 503)

    def _handle(self, kind: str) -> None:
        """What the event means to you. Types that you do not know are none of your business."""
        if kind == "webhook.test":
            _log.info("the test event of FirstUser has arrived")

    def _session(self, request: Request) -> Session | None:
        return self._sessions.get(request.cookies.get(COOKIE))

    async def _end(self, request: Request) -> None:
        """Of this browser's session, if there is one."""
        session = self._sessions.close(request.cookies.get(COOKIE))
        if session and session.admitted:
            _log.info("left user=%s", session.user_id)
            await self._presence.left(session.user_id)


async def _raw_body(request: Request) -> bytes:
    """Raises `HTTPException` 413 when it is larger than any form or webhook."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY:
            raise HTTPException(413)
    return body
