"""Cloudflare for one zone: its settings, its records, its token; and how often its cache was purged."""

from typing import Any

from tests.platforms.fake import Asked, FakePlatform, Reply

ZONE = "023e105f4ecef8ad9ca31a8372d0c353"
HOST = "app.firstuser.com"


class FakeCloudflare(FakePlatform):
    base = "/client/v4"

    def __init__(self) -> None:
        super().__init__()
        self.status, self.token_status = "active", "active"
        self.settings = {"ssl": "strict", "min_tls_version": "1.2", "always_use_https": "on"}
        self.records = {HOST: True}
        self.purged = 0

    def not_authorized(self) -> Reply:
        return Reply(403, _no("Authentication error"))

    def answer(self, asked: Asked) -> Reply:
        parts = asked.path.strip("/").split("/")
        if parts == ["user", "tokens", "verify"]:
            return _ok({"id": "ed17574386854bf78a67040be0a770b0", "status": self.token_status})
        if parts[:2] != ["zones", ZONE]:
            return Reply(404, _no("Invalid zone identifier"))
        match parts[2:]:
            case []:
                return _ok(self._zone())
            case ["settings", name]:
                return _ok(_setting(name, self.settings[name]))
            case ["dns_records"]:
                name = asked.query.get("name")
                return _ok([_record(*one) for one in self.records.items() if name in (None, one[0])])
            case _:
                self.purged += 1
                return _ok({"id": ZONE})

    def _zone(self) -> dict[str, Any]:
        return {
            "id": ZONE,
            "name": "firstuser.com",
            "status": self.status,
            "account": {"id": ZONE, "name": "x"},
            "activated_on": "2026-01-01T00:00:00Z",
            "created_on": "2026-01-01T00:00:00Z",
            "modified_on": "2026-01-01T00:00:00Z",
            "development_mode": 0,
            "meta": {},
            "name_servers": ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"],
            "original_dnshost": "x",
            "original_name_servers": ["ns1.x.com", "ns2.x.com"],
            "original_registrar": "x",
            "owner": {"id": ZONE, "name": "x", "type": "organization"},
        }


def _setting(name: str, value: str) -> dict[str, Any]:
    return {"id": name, "value": value, "editable": True, "modified_on": "2026-01-01T00:00:00Z"}


def _record(name: str, proxied: bool) -> dict[str, Any]:
    return {
        "id": ZONE,
        "zone_id": ZONE,
        "zone_name": "firstuser.com",
        "name": name,
        "type": "CNAME",
        "content": "firstuser.onrender.com",
        "proxiable": True,
        "proxied": proxied,
        "locked": False,
        "ttl": 1,
        "created_on": "2026-01-01T00:00:00Z",
        "modified_on": "2026-01-01T00:00:00Z",
    }


def _ok(result: Any) -> Reply:
    info = {"page": 1, "per_page": 100, "count": 1, "total_count": 1}
    return Reply(200, {"success": True, "errors": [], "messages": [], "result": result, "result_info": info})


def _no(message: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"code": 10000, "message": message}], "messages": [], "result": None}
