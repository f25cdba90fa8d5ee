"""Cloudflare: the zone of the product's domain, read with a token that may do little.

Zone:Read, Zone Settings:Read and DNS:Read are enough to look; Cache Purge:Purge is needed to purge.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import httpx

from api.core.errors import FirstUserError, Rejected
from api.core.ports import Permission
from api.core.preflight.judging.edge import Edge, Record
from api.core.preflight.judging.service import Zone
from api.providers.access import tried
from api.providers.http import VendorHttp
from api.providers.platforms.answers import object_of, objects_of, text_of
from api.settings import Settings

SETTINGS = ("ssl", "min_tls_version", "always_use_https")
PATIENCE_S = 10.0


class Cloudflare:
    name = "cloudflare"

    def __init__(
        self, url: str, token: str, zone_id: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._zone = f"zones/{zone_id}"
        self._http = VendorHttp(
            "Cloudflare",
            url,
            secrets=[token],
            headers={"Authorization": f"Bearer {token}"},
            transport=transport,
            patience_s=PATIENCE_S,
        )

    def zone(self) -> Zone:
        """Never raises: a zone that cannot be read is a finding. So with `edge`."""
        try:
            found = self._result("read zone", self._zone)
        except FirstUserError as error:
            return Zone(problem=error.message)
        return Zone(name=text_of(found, "name"), status=text_of(found, "status"))

    def edge(self, host: str) -> Edge:
        """What stands before `host`."""
        try:
            ssl, min_tls, https = (self._setting(name) for name in SETTINGS)
            records = self._records(host)
        except FirstUserError as error:
            return Edge(problem=error.message)
        return Edge(ssl=ssl, min_tls=min_tls, always_https=https, records=records)

    def purge(self) -> None:
        """Forget what is cached of the whole zone. Raises `ProviderError`."""
        body = {"purge_everything": True}
        self._http.call("purge", "POST", f"{self._zone}/purge_cache", repeatable=True, json=body)

    def check_access(self) -> Sequence[Permission]:
        zone = partial(self._result, "read zone", self._zone)
        purge = "Cache Purge:Purge is seen when a purge is done; it is needed after rollbacks alone"
        return [
            tried("the token is active", self._token, lambda said: said),
            tried("read the zone", zone, lambda found: text_of(found, "name")),
            tried("read its settings", lambda: self._setting("ssl"), lambda said: f"ssl is {said}"),
            tried("read DNS records", lambda: self._records(""), lambda found: f"{len(found)} records"),
            Permission("purge the cache", None, purge),
        ]

    def _token(self) -> str:
        status = text_of(self._result("verify token", "user/tokens/verify"), "status")
        if status != "active":
            raise self._http.error(Rejected, "verify token", f"says the token is {status}", "Make a new one.")
        return status

    def _setting(self, name: str) -> str:
        return text_of(self._result("read settings", f"{self._zone}/settings/{name}"), "value")

    def _records(self, host: str) -> list[Record]:
        asked = {"name": host} if host else {}
        answer = self._http.call("read DNS records", "GET", f"{self._zone}/dns_records", params=asked)
        found = objects_of(self._http.json("read DNS records", answer), "result")
        return [Record(text_of(one, "type"), one.get("proxied") is True) for one in found]

    def _result(self, operation: str, path: str) -> dict[str, Any]:
        return object_of(self._http.json(operation, self._http.call(operation, "GET", path)), "result")


def cloudflare(settings: Settings) -> Cloudflare | None:
    """None where no zone is configured."""
    found = settings.preflight
    if found.cloudflare_api_token is None or not found.cloudflare_zone_id:
        return None
    return Cloudflare(
        found.cloudflare_url, found.cloudflare_api_token.get_secret_value(), found.cloudflare_zone_id
    )
