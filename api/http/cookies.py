"""The two cookies: whose browser it is, and whose session.

Their names carry the environment, because browsers send the cookies of one host to every port of it:
production and staging on one machine must not sign each other out. `__Host-` and Secure where the site is
https.
"""

import secrets
from dataclasses import dataclass

from fastapi import Request, Response

from api.settings import Settings

SESSION_NAME = "__Host-fu_session"
"""As production on https names it."""
_BROWSER_SECONDS = 30 * 24 * 3600
_SESSION_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Cookies:
    secure: bool
    suffix: str

    @classmethod
    def from_settings(cls, settings: Settings) -> "Cookies":
        env = settings.service.env
        secure = settings.platform.public_app_url.startswith("https://")
        return cls(secure, "" if env == "production" else f"_{env}")

    def browser_id(self, request: Request) -> str | None:
        return request.cookies.get(self._name("browser"))

    def session(self, request: Request) -> str | None:
        return request.cookies.get(self._name("session"))

    def set_browser_id(self, response: Response, value: str) -> None:
        self._set(response, "browser", value, _BROWSER_SECONDS)

    def set_session(self, response: Response, value: str) -> None:
        self._set(response, "session", value, _SESSION_SECONDS)

    def clear_session(self, response: Response) -> None:
        response.delete_cookie(
            self._name("session"), path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def _name(self, kind: str) -> str:
        return f"{'__Host-' if self.secure else ''}fu_{kind}{self.suffix}"

    def _set(self, response: Response, kind: str, value: str, seconds: int) -> None:
        response.set_cookie(
            self._name(kind),
            value,
            max_age=seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )


def new_browser_id() -> str:
    return secrets.token_urlsafe(24)
