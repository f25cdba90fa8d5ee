"""Cloudflare's API, read only: `GET /client/v4/zones/{id}` (a token with Zone:Read)."""

import httpx

from api.core.errors import FirstUserError
from api.core.preflight.judging.service import Zone
from api.providers.http import VendorHttp

BASE_URL = "https://api.cloudflare.com/client/v4/"


def zone(
    token: str, zone_id: str, base_url: str = BASE_URL, transport: httpx.BaseTransport | None = None
) -> Zone:
    """Never raises: a zone that cannot be read is a finding. The token shows nowhere."""
    vendor = VendorHttp(
        "Cloudflare",
        base_url,
        secrets=[token],
        headers={"Authorization": f"Bearer {token}"},
        transport=transport,
    )
    try:
        answer = vendor.call("read zone", "GET", f"zones/{zone_id}")
        found = vendor.json("read zone", answer).get("result") or {}
    except FirstUserError as error:
        return Zone(problem=error.message)
    return Zone(name=str(found.get("name", "")), status=str(found.get("status", "")))
