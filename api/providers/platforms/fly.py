"""Fly's Machines API for one app: its secrets, and how to call the rest of it.

Machines see a change when they are next updated with it. Values are shown only to a token that may; without
one no ring can be moved on, since the pending value is known to nobody else.
"""

from collections.abc import Mapping, Sequence

import httpx

from api.core.errors import Rejected
from api.providers.http import VendorHttp
from api.providers.platforms.answers import objects_of, text_of

PATIENCE_S = 30.0


class Fly:
    name = "fly"

    def __init__(self, url: str, token: str, app: str, transport: httpx.BaseTransport | None = None) -> None:
        own_scheme = token.startswith("FlyV1 ")
        headers = {"Authorization": token if own_scheme else f"Bearer {token}"}
        self.http = VendorHttp(
            self.name, url, secrets=[token], headers=headers, transport=transport, patience_s=PATIENCE_S
        )
        self.app = f"apps/{app}"
        self.secrets_version: int | None = None  # the newest that this client made
        self._secrets = f"{self.app}/secrets"

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        asked = {"show_secrets": "true"}
        answer = self.http.json(
            "read secrets", self.http.call("read secrets", "GET", self._secrets, params=asked)
        )
        known = {text_of(one, "name"): one for one in objects_of(answer, "secrets")}
        hidden = [name for name in names if name in known and "value" not in known[name]]
        if hidden:
            fix = "Give FLY_API_TOKEN a token of the app with the right to read its secrets."
            raise self.http.error(Rejected, "read secrets", f"hides the value of {hidden[0]}", fix)
        return {name: value for name in names if name in known and (value := text_of(known[name], "value"))}

    def set(self, changes: Mapping[str, str | None]) -> None:
        """What is set one after the other is set in one request: all of it, or nothing."""
        together: dict[str, str] = {}
        for name, value in changes.items():
            if value is None:
                self._update(together)
                together = {}
                self._delete(name)
            else:
                together[name] = value
        self._update(together)

    def _update(self, values: Mapping[str, str]) -> None:
        if values:
            body, hide = {"values": dict(values)}, list(values.values())
            answer = self.http.call(
                "set secrets", "POST", self._secrets, repeatable=True, json=body, hide=hide
            )
            found = self.http.json("set secrets", answer).get("version")
            self.secrets_version = found if isinstance(found, int) else self.secrets_version

    def _delete(self, name: str) -> None:
        try:
            self.http.call("delete secret", "DELETE", f"{self._secrets}/{name}")
        except Rejected as error:
            if error.status != 404:
                raise
