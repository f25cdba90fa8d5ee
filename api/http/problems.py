"""Errors as RFC 9457 documents. `code` is the contract (`CODES`); `title` and `detail` are for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    pointer: str
    code: str


class ProblemBody(BaseModel):
    """The shape of every error, for the OpenAPI document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem] = []


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    code: str
    detail: str
    errors: Sequence[FieldProblem] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def response(self, request_id: str) -> JSONResponse:
        body = ProblemBody(
            type=f"urn:firstuser:problem:{self.code}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            code=self.code,
            request_id=request_id,
            errors=list(self.errors),
        )
        return JSONResponse(body.model_dump(), self.status, self.headers, media_type=MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class Code:
    """What a caller may depend on: the status it comes with, and what it means."""

    status: int
    meaning: str


CODES: Mapping[str, Code] = {
    "idempotency_key_required": Code(400, "The operation needs an Idempotency-Key header."),
    "invalid_grant": Code(400, "The access code cannot be exchanged; send the user through the list again."),
    "return_url_not_allowed": Code(400, "The return URL is not registered for the integration."),
    "login_required": Code(401, "No founder is signed in."),
    "invalid_widget_token": Code(
        401, "The widget token is missing, malformed, out of date or from elsewhere."
    ),
    "invalid_api_key": Code(401, "The API key is missing, malformed, unknown, expired or revoked."),
    "code_invalid": Code(401, "The login code is wrong, used up or too old."),
    "recent_login_required": Code(403, "The founder has to log in again: the last code is too long ago."),
    "origin_not_allowed": Code(400, "The origin is not registered for the integration."),
    "foreign_origin": Code(403, "The request did not come from our own pages."),
    "grant_revoked": Code(403, "The access that the widget token was made for has been taken back."),
    "integration_disabled": Code(403, "The integration is switched off."),
    "not_release_owner": Code(403, "Only the release owner signs off."),
    "no_release_owner": Code(422, "Nobody is the release owner."),
    "signed_already": Code(409, "The preflight has been signed off, or declined."),
    "go_is_void": Code(409, "The GO does not stand any more: run the preflight again."),
    "homepage_owner_required": Code(403, "Only the owner of the homepage's space may do this."),
    "method_not_allowed": Code(405, "The path is there, but not for this method."),
    "not_found": Code(404, "There is no such thing, or not for this caller."),
    "onboarding_paused": Code(409, "Nobody new joins for now; people who have joined go on."),
    "no_active_grant": Code(409, "The user has no access to the product, or not any more."),
    "conflict": Code(409, "The state forbids it now."),
    "no_overlap": Code(409, "No old secret is in its overlap: there is nothing to try."),
    "tried_just_now": Code(409, "It was tried a few seconds ago; wait, then try again."),
    "rotation_in_progress": Code(409, "The grace of an earlier rotation still runs; wait, or force it."),
    "rotation_not_proven": Code(
        409, "The new one was tried and did not work yet; the old one goes on working. Try again."
    ),
    "key_is_current": Code(409, "It is the current one; rotate it instead."),
    "already_decided": Code(409, "The entry was decided on the other way."),
    "idempotency_in_flight": Code(409, "The first request with this key is under way; send it again later."),
    "webhook_url_missing": Code(409, "The integration has no webhook address; register one."),
    "signing_secret_missing": Code(
        409, "The integration has no signing secret; make one with Rotate Secret."
    ),
    "body_too_large": Code(413, "The body is larger than the cap."),
    "validation_failed": Code(422, "The request is not as described; `errors` points at what is wrong."),
    "idempotency_key_reused": Code(422, "The Idempotency-Key came with another body before."),
    "cursor_invalid": Code(422, "The cursor is not one that a list handed out."),
    "phone_invalid": Code(422, "That is not a phone number."),
    "phone_not_served": Code(422, "No code can be sent to that kind of number."),
    "email_invalid": Code(422, "That is not an e-mail address."),
    "return_url_invalid": Code(422, "A return URL is https, or http on localhost, and has no fragment."),
    "origin_invalid": Code(422, "An origin is https://host[:port], or http on localhost, and nothing more."),
    "webhook_url_invalid": Code(422, "A webhook address is https, without fragment or login."),
    "webhook_url_not_allowed": Code(422, "Webhooks go to https URLs whose host has a public address."),
    "name_invalid": Code(422, "The name is empty, too long or has letters that cannot be seen."),
    "text_invalid": Code(422, "The message is empty or too long."),
    "refused": Code(422, "It is not allowed, or the input is not acceptable."),
    "rate_limited": Code(429, "Too many calls; wait for as many seconds as Retry-After says."),
    "too_many_streams": Code(429, "Too many streams are open; close some."),
    "provider_rejected": Code(502, "A service that we rely on said no."),
    "database_unavailable": Code(503, "The database does not answer; try again."),
    "provider_unavailable": Code(503, "A service that we rely on could not be reached; try again."),
    "provider_timed_out": Code(504, "A service that we rely on did not answer in time; look, then retry."),
}
"""Every code that a documented operation may answer with. A code keeps its status for ever."""

PARTNER_CODES = (
    "invalid_api_key",
    "integration_disabled",
    "body_too_large",
    "validation_failed",
    "rate_limited",
    "database_unavailable",
)
"""What every operation of the integration API may answer with."""

FOUNDER_CODES = ("login_required", "not_found", "body_too_large", "validation_failed", "database_unavailable")
"""What every operation of the founders' API may answer with."""


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: for each status the codes that it may come with. Name all of them at the
    route: what a router says of a status is replaced by what its route says."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(CODES[code].status, []).append(code)
    return {status: _described(status, found) for status, found in sorted(by_status.items())}


def _described(status: int, codes: Sequence[str]) -> dict[str, Any]:
    meanings = "\n".join(f"- `{code}`: {CODES[code].meaning}" for code in codes)
    schema = ProblemBody.model_json_schema()
    pointed = schema.pop("$defs")["FieldProblem"]
    schema["properties"]["errors"]["items"] = pointed
    schema["properties"]["status"] = {"const": status}
    schema["properties"]["code"] = {"type": "string", "enum": list(codes)}
    return {
        "description": f"{HTTPStatus(status).phrase}\n\n{meanings}",
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
