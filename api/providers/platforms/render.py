"""Render's REST API, v1, for one service: its environment variables, and how to call the rest of it.

A change of a variable waits for the next deploy. The plural PUT of variables replaces all of them, and is
never used.
"""

from collections.abc import Mapping, Sequence

import httpx

from api.core.errors import Rejected
from api.providers.http import VendorHttp
from api.providers.platforms.answers import text_of

PATIENCE_S = 90.0  # its windows are a minute long


class Render:
    name = "render"

    def __init__(
        self, url: str, key: str, service_id: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self.http = VendorHttp(
            self.name, url, secrets=[key], headers=headers, transport=transport, patience_s=PATIENCE_S
        )
        self.service = f"services/{service_id}"

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        """One request each: the list of all would bring every secret of the service here."""
        found = {name: self._get(name) for name in names}
        return {name: value for name, value in found.items() if value}

    def set(self, changes: Mapping[str, str | None]) -> None:
        """One after the other, in their order."""
        for name, value in changes.items():
            if value is None:
                self._absent_is_fine("delete variable", "DELETE", name)
            else:
                body = {"value": value}
                self.http.call("set variable", "PUT", self._path(name), json=body, hide=[value])

    def _get(self, name: str) -> str:
        answer = self._absent_is_fine("read variable", "GET", name)
        if answer is None:
            return ""
        return text_of(self.http.json("read variable", answer), "value")

    def _absent_is_fine(self, operation: str, method: str, name: str) -> httpx.Response | None:
        try:
            return self.http.call(operation, method, self._path(name))
        except Rejected as error:
            if error.status == 404:
                return None
            raise

    def _path(self, name: str) -> str:
        return f"{self.service}/env-vars/{name}"
