"""Login by code. Forms get pages, JSON gets JSON; whoever asks for a code learns nothing about who exists."""

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from api.core.errors import FirstUserError, Refused
from api.core.founders import identifiers, login, phones, service, sessions
from api.core.founders.identifiers import Identifier
from api.core.founders.limits import Limits
from api.core.founders.login import Asked, CodeToSend
from api.core.founders.service import FounderView
from api.core.ports import OutgoingMessage
from api.db.engine import Session
from api.http import browsers, destinations
from api.http.client_address import client_network
from api.http.cookies import new_browser_id
from api.http.credentials import PUBLIC
from api.http.deps import At
from api.http.pages.rendering import render
from api.http.problems import Problem, documented
from api.http.services import Services

router = APIRouter(prefix="/auth", tags=["login"])
_COMMON = ("foreign_origin", "body_too_large", "refused", "database_unavailable")
_ASKING = (*_COMMON, "phone_invalid", "phone_not_served", "email_invalid")
_TYPING = (*_COMMON, "code_invalid")
_log = structlog.get_logger("api.login")


async def fields(request: Request) -> dict[str, str]:
    """The body's text fields, whether it is a form or JSON."""
    if _is_form(request):
        return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    try:
        body: Any = await request.json()
    except (ValueError, RecursionError):
        raise Refused("The body is not JSON.", fix="Send a JSON object or a form.") from None
    if not isinstance(body, dict):
        raise Refused("The body is not a JSON object.", fix="Send a JSON object or a form.")
    return {str(name): str(value) for name, value in body.items() if isinstance(value, str | int)}


Fields = Annotated[dict[str, str], Depends(fields)]


@router.post("/otp/start", status_code=202, responses=documented(*_ASKING), openapi_extra=PUBLIC)
def start(request: Request, at: At, body: Fields, tasks: BackgroundTasks) -> Response:
    """`{phone}` or `{email}` → 202, always; the code goes out after the answer."""
    try:
        identifier = _reached(at, _identifier(body))
    except Refused as error:
        if not _is_form(request):
            raise
        shown = {"problem": error, "next": _next(body), "typed": body, "again": False}
        return render(request, "login.html", shown, status=422, title="Log in")
    browser_id = at.cookies.browser_id(request) or new_browser_id()
    asked = Asked(identifier, browser_id, client_network(request))
    with at.transaction() as session:
        started = login.start(
            session, at.vault, at.code_signer, asked, at.clock(), at.allowed_phones, _limits(at)
        )
    to_send = started.to_send
    _log.info("code asked for", kind=identifier.kind, entitled=to_send is not None, refused=started.refused)
    if to_send:
        tasks.add_task(_send, at, to_send)
    response = _code_page(request, identifier, body) if _is_form(request) else _accepted()
    at.cookies.set_browser_id(response, browser_id)
    response.background = tasks
    return response


@router.post("/otp/verify", responses=documented(*_TYPING), openapi_extra=PUBLIC)
def verify(request: Request, at: At, body: Fields) -> Response:
    """`{code}` → 200 with the session cookie (a form: 303 to the dashboard); 401 for any bad code."""
    now, code = at.clock(), "".join(body.get("code", "").split())
    with at.transaction() as session:
        browser_id = at.cookies.browser_id(request) or ""
        attempt = login.verify(session, at.code_signer, browser_id, code, now, _limits(at))
        opened = _open(session, at, request, attempt.founder_id) if attempt.founder_id else None
    _log.info("code typed", verdict=attempt.verdict)
    if opened is None:
        return _wrong_code(request, body)
    person, cookie = opened
    response = (
        RedirectResponse(_next(body), 303)
        if _is_form(request)
        else JSONResponse({"founder": {"id": person.id, "name": person.name}})
    )
    at.cookies.set_session(response, cookie)
    return response


@router.post(
    "/logout",
    status_code=303,
    responses=documented("foreign_origin", "database_unavailable"),
    openapi_extra=PUBLIC,
)
def logout(request: Request, at: At) -> Response:
    """Ends the session on the server, too. Idempotent."""
    cookie = at.cookies.session(request)
    if cookie:
        with at.transaction() as session:
            sessions.close_session(session, at.session_signer, cookie, at.clock())
    response = RedirectResponse("/login", 303)
    at.cookies.clear_session(response)
    return response


def _limits(at: Services) -> Limits | None:
    """Messages that cost nothing need no limit; without one no stranger can lock a drill out."""
    return Limits(sms=at.settings.messaging.sms_daily_budget) if at.reaches_people else None


def _reached(at: Services, identifier: Identifier) -> Identifier:
    """Raises `Refused` for a number that would cost more than a code is worth, whoever's it is."""
    if at.reaches_people and identifier.kind == "phone" and not phones.takes_sms(identifier.value):
        raise Refused(
            "No code can be sent to that kind of number.",
            fix="Use a mobile phone's number, or an e-mail address.",
            code="phone_not_served",
        )
    return identifier


def _open(session: Session, at: Services, request: Request, founder_id: str) -> tuple[FounderView, str]:
    """The founder, and the cookie of their new session, which takes the place of the browser's old one."""
    before = at.cookies.session(request)
    if before:
        sessions.close_session(session, at.session_signer, before, at.clock())
    browser = browsers.described(request.headers.get("user-agent", ""))
    cookie = sessions.open_session(session, at.session_signer, founder_id, browser, at.clock())
    return service.view(session, at.vault, founder_id), cookie


def _send(at: Services, to_send: CodeToSend) -> None:
    """After the answer: whether it works shows to nobody who asks. What fails is logged and left unmarked."""
    body = f"{to_send.code} is your FirstUser login code. It works for 5 minutes. Nobody will ask you for it."
    message = OutgoingMessage(to_send.channel, to_send.to, "Your FirstUser login code", body)
    try:
        at.messenger.send(message)
    except FirstUserError as error:
        facts = {"channel": to_send.channel, "kind": error.code, "retryable": error.retryable}
        _log.error("code not sent", id=to_send.id, said=str(error), **facts)
        return
    with at.transaction() as session:
        login.sent(session, to_send.id, at.clock())


def _identifier(body: dict[str, str]) -> Identifier:
    """From `phone`, `email` or the form's one field `identifier`. Raises `Refused`."""
    if body.get("phone"):
        return identifiers.phone(body["phone"])
    if body.get("email"):
        return identifiers.email(body["email"])
    return identifiers.parse(body.get("identifier", ""))


def _accepted() -> Response:
    return JSONResponse({"status": "accepted", "expires_in": 300}, 202)


def _code_page(request: Request, identifier: Identifier, body: dict[str, str]) -> Response:
    sent_to = identifiers.masked(identifier.value)
    shown = {"sent_to": sent_to, "next": _next(body), "wrong": False}
    return render(request, "code.html", shown, status=202, title="Your code")


def _wrong_code(request: Request, body: dict[str, str]) -> Response:
    if _is_form(request):
        shown = {"sent_to": "", "next": _next(body), "wrong": True}
        return render(request, "code.html", shown, status=401, title="Your code")
    problem = Problem(401, "code_invalid", "That code is not right, or not any more. Ask for a new one.")
    return problem.response(getattr(request.state, "request_id", ""))


def _next(body: dict[str, str]) -> str:
    return destinations.safe(body.get("next", ""))


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    return kind in {"application/x-www-form-urlencoded", "multipart/form-data"}
