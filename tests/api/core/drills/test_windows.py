"""Webhooks and alerts are compared exactly while they go on (sent, pruned, forgotten); a loss is red."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from api.core.alerts import service as alerts
from api.core.clock import system_clock
from api.core.crypto import Vault, data_keys
from api.core.drills import database, windows
from api.core.drills.beacons import write_fingerprint
from api.core.drills.records import CheckResult
from api.core.privacy import tombstones
from api.core.webhooks import retention, secrets, settling
from api.core.webhooks.attempts import Attempt
from api.db.engine import Engine, Session, session_scope
from tests.api.core.webhooks.places import BAD, OK, claim, tried
from tests.product import DATA_KEY

VAULT = Vault(data_keys(DATA_KEY))
GRANTS = """
INSERT INTO grants (id, integration_id, entry_id, external_user_id)
    SELECT 'grt_' || n, 'int_1', 'wle_' || n, 'u' || n FROM generate_series(CAST(:first AS integer), :last) n
"""
REST = """
INSERT INTO webhook_replays (id, integration_id, endpoint_id, since, until, only_exhausted, total, created_by,
    created_at) SELECT 'rpl_1', 'int_1', id, now(), now(), true, 1, 'fnd_1', now() FROM webhook_endpoints;
INSERT INTO alert_silences (id, owner, reason, created_at, expires_at)
    VALUES ('sil_1', 'Ada', 'moving', now(), now() + interval '1 day');
INSERT INTO alert_ack_codes (code_sha256, alert_id, message_id, expires_at)
    SELECT CAST(id AS bytea), alert_id, id, now() FROM alert_messages;
"""
OLD = """
WITH m AS (INSERT INTO webhook_messages (id, integration_id, type, body, created_at) VALUES
    (uuidv7('-40 days'), 'int_1', 'webhook.test', '{}', now() - interval '40 days') RETURNING id)
INSERT INTO webhook_deliveries (id, message_id, endpoint_id, state, next_attempt_at, created_at)
    SELECT uuidv7('-40 days'), m.id, e.id, 'exhausted', now(), now() - interval '40 days'
      FROM m, webhook_endpoints e;
INSERT INTO alerts (id, identity, env, rule, scope, app_id, severity, title, message, opened_at, last_seen_at,
    resolved_at) VALUES ('alr_old', 'old', 'production', 'channel_dead', '', '', 'error', '', '',
    now() - interval '99 days', now() - interval '99 days', now() - interval '98 days');
"""


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """Six messages: one delivered, one given up, four due; an alert that nobody was told of yet."""
    run(engine, "UPDATE integrations SET webhook_url = 'https://partner.example/hooks'")
    run(engine, GRANTS, first=21, last=26)
    with session_scope(engine) as session:
        secrets.rotate(session, VAULT, "int_1", timedelta(0), system_clock(), "test")
        now = system_clock()
        for rule in ("retries_exhausted", "channel_dead"):
            alerts.raise_(session, rule, env="production", message="x", now=now)
    run(engine, REST)
    run(engine, OLD)
    send(engine, [OK, BAD])
    fingerprint(engine)
    return engine


def run(engine: Engine, statement: str, **given: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), given)


def fingerprint(engine: Engine) -> None:
    with session_scope(engine) as session:
        write_fingerprint(session, system_clock())


def send(engine: Engine, attempts: list[Attempt]) -> None:
    """What is due first is answered so; what is not delivered was the last attempt."""
    with session_scope(engine) as session:
        now = system_clock()
        claimed = claim(session, VAULT, now, most=len(attempts))
        assert len(claimed) == len(attempts)
        done = [
            tried(one._replace(attempts=9), attempt, now)
            for one, attempt in zip(claimed, attempts, strict=True)
        ]
        settling.settle(session, done, now)


def digests(engine: Engine) -> dict[str, CheckResult]:
    with Session(engine) as session:
        return {result.name: result for result in database.digests(session, system_clock())}


def red(engine: Engine) -> set[str]:
    return {name for name, result in digests(engine).items() if not result.ok}


def forget(engine: Engine, number: int) -> None:
    with session_scope(engine) as session:
        user = session.execute(text(f"SELECT user_id FROM entries WHERE id = 'wle_{number}'")).scalar_one()  # noqa: S608
        assert tombstones.forget(session, user, by="fnd_1", at=system_clock())


def test_every_table_of_theirs_is_covered(engine: Engine) -> None:
    covered = {name.removeprefix("digest:"): result for name, result in digests(engine).items()}
    rows = {table: int(covered[table].expected.split()[0]) for table in covered if table != "cluster_facts"}
    assert {table: number for table, number in rows.items() if table.startswith(("webhook", "alert"))} == {
        "webhook_secrets": 1, "webhook_endpoints": 1, "webhook_messages": 6, "webhook_deliveries": 5,
        "webhook_attempts": 2, "webhook_replays": 1, "alerts": 2, "alert_occurrences": 2,
        "alert_messages": 2, "alert_ack_codes": 2, "alert_silences": 1,
    }  # fmt: skip


def test_what_goes_on_after_the_fingerprint_does_not_disturb_it(engine: Engine) -> None:
    run(engine, GRANTS, first=27, last=29)
    send(engine, [OK, BAD, OK])
    for number in (21, 22, 24, 26, 27):  # delivered, given up, delivered since, due, new
        forget(engine, number)
    run(engine, "UPDATE webhook_deliveries SET state = 'open', attempts = 0 WHERE state = 'exhausted'")
    with session_scope(engine) as session:
        now = system_clock()
        assert alerts.resolve(session, "channel_dead", env="production", now=now)
        alerts.raise_(session, "channel_dead", env="production", message="again", now=now)
        assert retention.prune(session, now) == 1
        assert alerts.forget(session, now) == 1
    assert red(engine) == set()


LOSSES = (
    ("webhook_secrets", "UPDATE webhook_secrets SET created_by = 'else'"),
    (
        "webhook_messages",
        "UPDATE webhook_messages SET body = body || ' '"
        " WHERE user_id IN (SELECT user_id FROM entries WHERE id = 'wle_26')",
    ),
    (
        "webhook_messages",
        "DELETE FROM webhook_messages WHERE user_id IN (SELECT user_id FROM entries WHERE id = 'wle_26')",
    ),
    (
        "webhook_deliveries",
        "DELETE FROM webhook_deliveries d USING webhook_messages m JOIN entries USING (user_id)"
        " WHERE m.id = d.message_id AND entries.id = 'wle_26'",
    ),
    ("webhook_attempts", "DELETE FROM webhook_attempts WHERE outcome = 'exhausted'"),
    ("webhook_attempts", "UPDATE webhook_attempts SET status = 204"),
    ("webhook_replays", "DELETE FROM webhook_replays"),
    ("alerts", "UPDATE alerts SET rule = 'else' WHERE rule = 'channel_dead'"),
    (
        "alert_occurrences",
        "DELETE FROM alert_occurrences WHERE id = (SELECT max(id) FROM alert_occurrences)",
    ),
    ("alert_messages", "DELETE FROM alert_messages WHERE seq = 1"),
    ("alert_ack_codes", "UPDATE alert_ack_codes SET message_id = 'else'"),
    ("alert_silences", "DELETE FROM alert_silences"),
    # the attempt that says where a delivery went since: it is neither waiting nor delivered
    (
        "webhook_deliveries",
        "DELETE FROM webhook_attempts WHERE outcome = 'delivered' AND delivery_id = "
        "(SELECT delivery_id FROM webhook_attempts WHERE outcome = 'delivered' ORDER BY 1 DESC LIMIT 1)",
    ),
)


def test_each_loss_turns_exactly_its_check_red(engine: Engine) -> None:
    send(engine, [OK])
    forget(engine, 22)
    with Session(engine) as session:
        for check, loss in LOSSES:
            with session.begin_nested() as undone:
                session.execute(text(loss))
                found = database.digests(session, system_clock())
                assert {result.name for result in found if not result.ok} == {f"digest:{check}"}, loss
                undone.rollback()


def test_of_many_messages_the_newest_are_covered(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MESSAGES", 2)
    fingerprint(engine)
    seen = digests(engine)
    assert [seen[f"digest:webhook_{table}"].observed.split()[0] for table in ("messages", "deliveries")] == [
        "3", "3"
    ]  # fmt: skip
    run(
        engine,
        "DELETE FROM webhook_messages WHERE user_id = (SELECT user_id FROM entries WHERE id = 'wle_21')",
    )
    assert red(engine) == set()
    run(
        engine,
        "DELETE FROM webhook_messages WHERE user_id = (SELECT user_id FROM entries WHERE id = 'wle_26')",
    )
    assert red(engine) == {"digest:webhook_messages"}
