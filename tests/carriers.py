"""Textbelt and SendGrid as fakes: they answer as the vendors do, and say what they were asked."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import httpx

TEXTBELT_KEY = "3f9c0d1e2b4a59687786a5b4c3d2e1f0_test"
SENDGRID_KEY = "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"
SENDER = "FirstUser <hello@firstuser.example>"

Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class Fake:
    """A transport. `answers` are given one after the other, then `usual` for ever."""

    usual: Answer
    answers: list[Answer] = field(default_factory=list[Answer])
    asked: list[httpx.Request] = field(default_factory=list[httpx.Request])
    given: list[httpx.Response] = field(default_factory=list[httpx.Response])

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        response = (self.answers.pop(0) if self.answers else self.usual)(request)
        self.given.append(response)
        return response


def textbelt(*answers: Answer) -> Fake:
    return Fake(_text_sent, list(answers))


def sendgrid(*answers: Answer) -> Fake:
    return Fake(_mail_sent, list(answers))


def text_refused(error: str, quota: int | None = None) -> Answer:
    left = {} if quota is None else {"quotaRemaining": quota}
    return lambda _: httpx.Response(200, json={"success": False, "error": error, **left})


def mail_refused(status: int, message: str) -> Answer:
    body = {"errors": [{"message": message, "field": "null"}]}
    return lambda _: httpx.Response(status, json=body)


def broken(error: Callable[[str], Exception]) -> Answer:
    """The connection fails, or breaks off."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise error(f"{request.url} {request.content!r}")

    return answer


def _text_sent(request: httpx.Request) -> httpx.Response:
    fields = parse_qs(request.content.decode(), strict_parsing=True)
    if not {"phone", "message", "key"} <= fields.keys():
        return text_refused("Incomplete request")(request)
    return httpx.Response(200, json={"success": True, "quotaRemaining": 40, "textId": "12345"})


def _mail_sent(request: httpx.Request) -> httpx.Response:
    if request.headers.get("authorization") != f"Bearer {SENDGRID_KEY}":
        return mail_refused(401, "authorization required")(request)
    document = json.loads(request.content)
    if document.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
        return httpx.Response(200)
    return httpx.Response(202, headers={"X-Message-Id": "14c5d75ce93.dfd.64b469"})
