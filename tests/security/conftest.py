"""The product served for real on a database of its own, with everybody who may come."""

import io
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import text

from api import log, request_log
from api.providers.databases.embedded.cluster import Cluster
from api.settings import Settings
from tests.product import new_database, product_settings
from tests.security.decisions import Decision, For
from tests.security.world import METRICS_TOKEN, World, build, watcher_body
from tests.serving import Served, serving

_UNWATCHED = {
    *("heartbeats", "answer_minutes", "exchange_minutes", "api_instances", "presence_minutes"),
    *("alerts", "alert_occurrences", "alert_messages", "alert_channels", "webhook_lanes"),
    *("secret_readers", "secret_versions", "login_codes"),
}
"""What loops write by themselves, alerts among it: one tells of a key that was used after its end."""
_DIGEST = """
select md5(coalesce(string_agg(line, '|' order by line), '')) from (
    select (to_jsonb(t) - '{{last_used_at,last_seen_at,seen_at,beat_at}}'::text[])::text as line from {} t
) lines
"""


@dataclass
class Ground:
    """`seen`: every answer so far, for whoever looks at all of them."""

    served: Served
    world: World
    client: httpx.Client
    log: io.StringIO
    seen: list[tuple[Decision, str, int, httpx.Headers]] = field(default_factory=list)

    def headers(self, role: str) -> Mapping[str, str]:
        return self.world.roles.get(role, {})

    def body(self, decision: Decision, role: str) -> tuple[bytes | None, Mapping[str, str]]:
        """And its headers."""
        if decision.audience is For.WATCHER:
            content, signed = watcher_body(self.served.services)
            return content, signed if role == "watcher" else {}
        if decision.body is None:
            return None, decision.headers
        filled: dict[str, Any] = {
            name: value.format_map(self.world.given) if isinstance(value, str) else value
            for name, value in decision.body.items()
        }
        if decision.form:
            return urlencode(filled).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
        return json.dumps(filled).encode(), {"Content-Type": "application/json", **decision.headers}

    def digests(self) -> dict[str, str]:
        """Of every table's rows, without what a look or a loop moves."""
        with self.served.services.transaction() as session:
            names = session.execute(
                text(
                    "select format('%I.%I', n.nspname, c.relname) from pg_class c"
                    " join pg_namespace n on n.oid = c.relnamespace"
                    " where c.relkind in ('r', 'p') and not c.relispartition"
                    " and n.nspname in ('public', 'ops')"
                )
            ).scalars()
            watched = [name for name in names if name.rpartition(".")[2] not in _UNWATCHED]
            return {name: session.execute(text(_DIGEST.format(name))).scalar_one() for name in watched}


@pytest.fixture(scope="module")
def ground(
    cluster: Cluster, cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    url = new_database(cluster)
    settings = product_settings(cluster_settings, url, tmp_path_factory.mktemp("state"))
    service = settings.service.model_copy(
        update={"trusted_proxies": "127.0.0.1", "metrics_token": SecretStr(METRICS_TOKEN)}
    )
    with (
        logging_to(io.StringIO()) as log,
        serving(replace(settings, service=service)) as served,
        httpx.Client(base_url=served.url) as client,
    ):
        yield Ground(served, build(served.services), client, log)


@contextmanager
def logging_to(stream: io.StringIO) -> Iterator[io.StringIO]:
    """As the API logs, for a while."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    log.configure("api", stream)
    try:
        yield stream
    finally:
        root.handlers, root.level = before
        structlog.reset_defaults()
        request_log.lines.to(None)
