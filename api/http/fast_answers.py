"""Bodies of the fast lane's answers: the JSON of `api.http.integration`'s models, without the models."""

import orjson

from api.core.access.exchange import Exchanged
from api.core.access.lookups import IntegrationFacts
from api.core.presence.rules import NEXT_IN_SECONDS
from api.core.presence.service import LivePage
from api.http import cursors
from api.http.shapes import rfc3339


def heartbeat(accepted: int, rejected: int, live_ttl: int) -> bytes:
    numbers = (accepted, rejected, live_ttl, NEXT_IN_SECONDS)
    return b'{"accepted":%d,"rejected":%d,"live_ttl":%d,"next_in":%d}' % numbers


def exchanged(found: Exchanged) -> bytes:
    grant = {
        "id": found.grant_id,
        "object": "grant",
        "user_id": found.user_id,
        "external_user_id": found.external_user_id,
        "entry_id": found.entry_id,
        "created_at": rfc3339(found.created_at),
        "revoked_at": None,
    }
    user = {"id": found.user_id, "object": "user", "external_user_id": found.external_user_id}
    return orjson.dumps({"grant": grant, "user": user})


def live_users(page: LivePage) -> bytes:
    users = [
        {
            "external_user_id": user.external_user_id,
            "last_seen": rfc3339(user.last_seen),
            "status": user.status,
        }
        for user in page.users
    ]
    return orjson.dumps(
        {
            "object": "list",
            "data": users,
            "has_more": page.next_after is not None,
            "next_cursor": cursors.encode(page.next_after),
            "count": page.count,
            "as_of": rfc3339(page.as_of),
            "window_seconds": page.window_seconds,
        }
    )


def integration(found: IntegrationFacts) -> bytes:
    return orjson.dumps(
        {
            "id": found.id,
            "name": found.name,
            "space_id": found.space_id,
            "return_urls": found.return_urls,
            "origins": found.origins,
            "webhook_url": found.webhook_url,
            "created_at": rfc3339(found.created_at),
        }
    )
