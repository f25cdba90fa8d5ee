"""The once-a-minute loop on a real database: counts, and lets the silent leave."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from api.core.crypto import Vault
from api.core.presence import service
from api.db.engine import session_scope
from api.http.sampler import Sampler
from tests.api.core.places import new_place
from tests.product import NOW, engine, product_url, vault

__all__ = ["engine", "product_url", "vault"]
WINDOW_S = 90
_STATES = text("select status, count(*) from presence where integration_id = :i group by 1 order by 1")


def test_a_minute_counts_and_all_the_silent_leave(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SILENT_AT_ONCE", 2)
    with session_scope(engine) as session:
        place = new_place(session, vault)
        for user, ago in [("anna", 1), *((f"silent {n}", 3600) for n in range(5))]:
            session.execute(
                text("insert into presence values (:i, :u, :at, 'live')"),
                {"i": place.integration_id, "u": user, "at": NOW - timedelta(seconds=ago)},
            )
    sampler = Sampler(lambda: session_scope(engine), lambda: NOW, WINDOW_S, enabled=True)
    sampler.minute(NOW)
    with session_scope(engine) as session:
        assert list(session.execute(_STATES, {"i": place.integration_id})) == [("left", 5), ("live", 1)]
        counted = text("select live from presence_minutes where integration_id = :i")
        assert session.execute(counted, {"i": place.integration_id}).scalar_one() == 1
        session.execute(
            text("update presence set status = 'live' where integration_id = :i"), {"i": place.integration_id}
        )
    sampler.minute(NOW)
    with session_scope(engine) as session:  # the minute had been taken
        assert list(session.execute(_STATES, {"i": place.integration_id})) == [("live", 6)]
