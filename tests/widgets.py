"""People with access on a partner's page: holders of grants, and the frame's side of the wire."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import text

from api.core.access import holders
from api.core.access.holders import Holder
from api.core.chat.token import Bearer
from api.http.services import Services

CHAT = "/api/widget/v1/chat"
MINUTE = timedelta(minutes=1)


def newcomers(services: Services, integration_id: str, count: int) -> list[Holder]:
    """People with access who have not said a word, nor been spoken to."""
    query = (
        "select external_user_id from grants where integration_id = :i and revoked_at is null"
        " and entry_id not in (select entry_id from conversations) order by 1 limit :count"
    )
    with services.transaction() as session:
        users = session.execute(text(query), {"i": integration_id, "count": count}).scalars().all()
        return [holders.of_user(session, integration_id, user) for user in users]


def origin_of(services: Services, integration_id: str) -> str:
    with services.transaction() as session:
        query = text("select origins[1] from integrations where id = :i")
        return session.execute(query, {"i": integration_id}).scalar_one()


def headers(services: Services, holder: Holder, lifetime: timedelta = MINUTE) -> dict[str, str]:
    """What the frame of that person sends."""
    origin = origin_of(services, holder.integration_id)
    bearer = Bearer(holder.user_id, holder.integration_id, holder.grant_id, origin)
    token, _ = services.widget_keys.mint(bearer, lifetime, services.clock())
    return {"Authorization": f"Bearer {token}", "Widget-Origin": origin}


@dataclass(frozen=True, slots=True)
class Heard:
    event: str
    id: str | None
    data: dict[str, Any]


def events(lines: Iterator[str]) -> Iterator[Heard]:
    """Server-sent events, comments left out (HTML, section 9.2.6)."""
    fields: dict[str, str] = {}
    for line in lines:
        if line == "" and "data" in fields:
            yield Heard(fields.get("event", "message"), fields.get("id"), json.loads(fields["data"]))
        if line == "":
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def listen(client: httpx.Client, path: str, **more: Any) -> Iterator[Heard]:
    with client.stream("GET", path, timeout=20, **more) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield from events(answer.iter_lines())
