"""FirstUser's integration API: https://… /api/openapi.json says the rest."""

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from .settings import Settings


class Refused(Exception):
    """FirstUser said no; `code` is stable, the text is for people."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code


@dataclass(frozen=True)
class Started:
    """Where to send the browser; `state` and `verifier` stay in its session."""

    redirect_url: str
    state: str
    verifier: str


class FirstUser:
    """Raises `Refused`, and `httpx.TransportError` when FirstUser cannot be reached."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(
            base_url=f"{settings.firstuser_url}/api/integration/v1",
            headers={"Authorization": f"Bearer {settings.api_key}"},
            timeout=10,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def start(self, user_id: str) -> Started:
        """Send the user to the waiting list. PKCE binds what comes back to this session."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        body = {
            "mode": "redirect",
            "external_user_id": user_id,
            "return_url": self._settings.return_url,
            "state": state,
            "code_challenge": challenge.decode(),
        }
        said = await self._post("/waitlist/start", body, idempotent=True)
        return Started(said["redirect_url"], state, verifier)

    async def exchange(self, code: str, verifier: str) -> str:
        """The user who was let in. A code works once: a lost answer is asked for with the same key."""
        body = {"code": code, "return_url": self._settings.return_url, "code_verifier": verifier}
        said = await self._post("/access/exchange", body, idempotent=True)
        return said["user"]["external_user_id"]

    async def heartbeat(self, user_ids: Sequence[str], status: str) -> int:
        """Up to 100 users; returns in how many seconds the next beat is due."""
        users = [{"external_user_id": user_id, "status": status} for user_id in user_ids]
        return (await self._post("/heartbeat", {"users": users}))["next_in"]

    async def widget_token(self, user_id: str) -> dict[str, Any]:
        return await self._post(
            "/widget/token", {"external_user_id": user_id, "origin": self._settings.origin}
        )

    async def _post(self, path: str, body: Mapping[str, Any], *, idempotent: bool = False) -> dict[str, Any]:
        """With an Idempotency-Key the request may be sent again when its answer was lost."""
        headers = {"Idempotency-Key": secrets.token_urlsafe(24)} if idempotent else {}
        try:
            answer = await self._http.post(path, json=body, headers=headers)
        except httpx.TransportError:
            if not idempotent:
                raise
            answer = await self._http.post(path, json=body, headers=headers)
        if answer.is_success:
            return answer.json()
        raise _refused(answer)


def _refused(answer: httpx.Response) -> Refused:
    """A problem document, or whatever stood in the way of one."""
    try:
        problem = answer.json()
        return Refused(answer.status_code, problem["code"], problem["detail"])
    except (ValueError, TypeError, KeyError):
        return Refused(answer.status_code, "unknown", answer.text[:200])
