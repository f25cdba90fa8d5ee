"""Errors as RFC 9457 documents. `code` is the contract; `title` and `detail` are for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

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


def documented(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The `responses` of a route: each status with the problem's shape."""
    return {status: {"model": ProblemBody, "description": HTTPStatus(status).phrase} for status in statuses}
