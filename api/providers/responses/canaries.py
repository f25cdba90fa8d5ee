"""Requests that an API under a switch has to refuse, sent to where partners send theirs.

Each comes with a key of its own that is in no list and ends at once. Who would join is nobody: an id in the
synthetic tenant, which no metric counts.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy.orm import Session

from api.core.access import synthetic
from api.core.clock import Clock
from api.core.crypto import Vault
from api.core.founders import service as founders
from api.core.ids import new_id
from api.core.incidents.opening import ACTOR
from api.core.keys import canaries

_TIMEOUT_S = 5.0
_V1 = "/api/integration/v1"


@dataclass(frozen=True, slots=True)
class Canaries:
    base_url: str
    vault: Vault
    transaction: Callable[[], AbstractContextManager[Session]]
    clock: Clock

    def call(self, integration_id: str) -> str:
        """ "" when a call of the integration is turned away as switched off."""
        return self._refused(integration_id, "GET", f"{_V1}/me", None, (403, "integration_disabled"))

    def join(self, _target: str) -> str:
        """ "" when a new person is turned away because onboarding is paused."""
        now = self.clock()
        with self.transaction() as session:
            founders.ensure(session, self.vault, synthetic.OWNER_ID, synthetic.NAME, synthetic.PHONE, now)
            synthetic.ensure(session, synthetic.OWNER_ID, now)
            origin = synthetic.may_be_embedded(session, self.base_url.rstrip("/"))
        return self._refused(
            synthetic.INTEGRATION_ID,
            "POST",
            f"{_V1}/waitlist/start",
            {"mode": "embedded", "external_user_id": new_id("canary"), "embed_origin": origin},
            (409, "onboarding_paused"),
        )

    def _refused(
        self, integration_id: str, method: str, path: str, body: Any, wanted: tuple[int, str]
    ) -> str:
        with self.transaction() as session:
            key = canaries.add(session, integration_id, self.clock(), ACTOR)
        try:
            answer = httpx.request(
                method,
                f"{self.base_url.rstrip('/')}{path}",
                timeout=_TIMEOUT_S,
                json=body,
                headers={"Authorization": f"Bearer {key.plaintext}"},
                follow_redirects=False,
            )
        except httpx.HTTPError as error:
            return f"The canary got no answer ({type(error).__name__})."
        finally:
            with self.transaction() as session:
                canaries.end(session, key.key_id, self.clock())
        got = answer.status_code, _code(answer)
        return (
            "" if got == wanted else f"The canary got {got[0]} {got[1]} instead of {wanted[0]} {wanted[1]}."
        )


def _code(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("code", "")) if isinstance(body, dict) else ""
