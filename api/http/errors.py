"""Which status an error gets: its code's, else its class's. JSON for programs, a page for people."""

from collections.abc import Callable, Mapping

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.core.errors import (
    Conflict,
    Expired,
    FirstUserError,
    NotFound,
    Refused,
    Rejected,
    TimedOut,
    Unavailable,
)
from api.db.engine import DATABASE_AWAY, NOT_STORABLE
from api.http import destinations
from api.http.middleware import MAX_BODY, BodyTooLarge
from api.http.pages.rendering import render
from api.http.problems import CODES, FieldProblem, Problem

STATUS: Mapping[type[FirstUserError], int] = {
    NotFound: 404,
    Conflict: 409,
    Expired: 410,
    Refused: 422,
    Unavailable: 503,
    TimedOut: 504,
    Rejected: 502,
}
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}
_log = structlog.get_logger("api.errors")


class Unauthenticated(Exception):
    """Nobody is signed in, or the key is no good: a page sends to the login, an API says 401 `code`."""

    def __init__(self, code: str, detail: str, scheme: str | None = None) -> None:
        super().__init__(detail)
        self.code, self.detail, self.scheme = code, detail, scheme


class ProofTooOld(Exception):
    """Somebody is signed in whose last code is too long ago for this: a page sends to the login, an API says
    403 `recent_login_required`."""


class RateLimited(Exception):
    """Too many calls: 429, to be tried again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"retry after {retry_after} s")
        self.retry_after = retry_after


def install(app: FastAPI) -> None:
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, unexpected)


def answer_to(request: Request, error: Exception) -> Response:
    """What the application answers when a route raises this one of the `ANSWERED`."""
    handler = next(HANDLERS[kind] for kind in type(error).__mro__ if kind in HANDLERS)
    return handler(request, error)


def wants_page(request: Request) -> bool:
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def answer(request: Request, problem: Problem) -> Response:
    """The problem as this client reads it."""
    request_id = getattr(request.state, "request_id", "")
    if wants_page(request):
        shown = {"problem": problem, "request_id": request_id}
        page = render(request, "error.html", shown, status=problem.status, title="Sorry")
        page.headers.update(problem.headers)
        return page
    return problem.response(request_id)


def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, FirstUserError)  # noqa: S101  registered for this class only
    by_class = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 400)
    status = CODES[error.code].status if error.code in CODES else by_class
    headers = {"Retry-After": "5"} if error.retryable else {}
    return answer(request, Problem(status, error.code, str(error), headers=headers))


def _unauthenticated(request: Request, error: Exception) -> Response:
    assert isinstance(error, Unauthenticated)  # noqa: S101
    if not request.url.path.startswith("/api/"):
        return _to_login(request, destinations.login(request))
    headers = {"WWW-Authenticate": error.scheme} if error.scheme else {}
    return answer(request, Problem(401, error.code, error.detail, headers=headers))


def _proof_too_old(request: Request, _: Exception) -> Response:
    if not request.url.path.startswith("/api/"):
        return _to_login(request, destinations.login(request, again=True))
    detail = "Log in again first: this needs a code that was typed within the last ten minutes."
    return answer(request, Problem(403, "recent_login_required", detail))


def _to_login(request: Request, address: str) -> Response:
    """A fragment asked for by htmx cannot be redirected into: the whole page goes."""
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": address})
    return Response(status_code=303, headers={"Location": address})


def _rate_limited(request: Request, error: Exception) -> Response:
    assert isinstance(error, RateLimited)  # noqa: S101
    headers = {"Retry-After": str(error.retry_after)}
    detail = f"Too many calls. Try again in {error.retry_after} s."
    return answer(request, Problem(429, "rate_limited", detail, headers=headers))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = [
        FieldProblem(pointer="/" + "/".join(str(part) for part in item["loc"][1:]), code=item["type"])
        for item in error.errors()
    ]
    return answer(request, Problem(422, "validation_failed", "The request is not as described.", errors))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 400:  # the framework's word for a body that it cannot read
        return answer(request, Problem(422, "validation_failed", "The body is not JSON in UTF-8."))
    code = _HTTP_CODES.get(error.status_code, "http_error")
    detail = "There is nothing here." if error.status_code == 404 else str(error.detail)
    return answer(request, Problem(error.status_code, code, detail, headers=dict(error.headers or {})))


def _too_large(request: Request, _: Exception) -> Response:
    return answer(request, Problem(413, "body_too_large", f"The body is larger than {MAX_BODY} bytes."))


def _database_away(request: Request, error: Exception) -> Response:
    _log.error("database away", kind=type(error).__name__)
    problem = Problem(
        503, "database_unavailable", "The database does not answer. Try again.", headers={"Retry-After": "5"}
    )
    return answer(request, problem)


def _not_storable(request: Request, _: Exception) -> Response:
    return answer(request, Problem(422, "validation_failed", "The request holds text that cannot be stored."))


def unexpected(request: Request, error: Exception) -> Response:
    """Runs outside our middleware, so the request's id is put on here."""
    _log.error("unhandled", kind=type(error).__name__, request_id=getattr(request.state, "request_id", ""))
    response = answer(request, Problem(500, "internal_error", "Something went wrong on our side."))
    response.headers["Request-Id"] = getattr(request.state, "request_id", "")
    response.headers["Cache-Control"] = "no-store"
    return response


def is_server_failure(error: Exception) -> bool:
    """Whether it is answered with a 5xx: ours, not the caller's fault."""
    if isinstance(error, FirstUserError):
        return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 400) >= 500
    return isinstance(error, DATABASE_AWAY) or not isinstance(error, ANSWERED)


HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Response]] = {
    FirstUserError: _refusal,
    Unauthenticated: _unauthenticated,
    ProofTooOld: _proof_too_old,
    RateLimited: _rate_limited,
    RequestValidationError: _invalid,
    HTTPException: _http,
    BodyTooLarge: _too_large,
    **dict.fromkeys(DATABASE_AWAY, _database_away),
    **dict.fromkeys(NOT_STORABLE, _not_storable),
}
ANSWERED = tuple(HANDLERS)
