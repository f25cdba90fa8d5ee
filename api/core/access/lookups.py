"""Integrations by their ids, many at a time, on a bare psycopg connection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

_INTEGRATIONS = """
select id, name, space_id, return_urls, origins, webhook_url, created_at
from integrations where id = any(%s)
"""


@dataclass(frozen=True, slots=True)
class IntegrationFacts:
    id: str
    name: str
    space_id: str
    return_urls: list[str]
    origins: list[str]
    webhook_url: str | None
    created_at: datetime


async def integrations(
    connection: AsyncConnection[Any], integration_ids: Sequence[str]
) -> Mapping[str, IntegrationFacts]:
    """Those that exist."""
    cursor = await connection.execute(_INTEGRATIONS, (sorted(set(integration_ids)),))
    return {row[0]: IntegrationFacts(*row) for row in await cursor.fetchall()}
