"""A place where a preflight finds everything in order, for tests that break one thing of it.

The database is real and so is every HTTP answer; production and staging say what they are told to.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from sqlalchemy import text

from api.core.alerts import queries as alert_queries
from api.core.alerts import service as alerts
from api.core.clock import system_clock
from api.core.drills import service as drills
from api.core.drills.records import DrillStatus, Phase
from api.core.drills.verdict import Verdict
from api.core.ports import BackupPolicy
from api.core.preflight import owners, rehearsals
from api.core.preflight.owners import Assignment
from api.core.preflight.records import Finding, Result, Role, State
from api.core.preflight.runner import Look, Runner
from api.db.engine import session_scope
from api.settings import load
from api.settings.fingerprint import configuration
from flows import preflight_looks, wiring
from flows.preflight_looks import Looks
from tests.product import DATA_KEY, OWNER_PHONE, SLUG

SECRETS = {
    "SESSION_SECRET": "q8Zt3vLw9XkPm2Rc7YbNf4Hs6JdGa1Ue",
    "INTEGRATION_WIDGET_SIGNING_SECRET": "Vb5Nc8Mx1Qw4Er7Ty0Ui3Op6As9Df2Gh",
    "INTEGRATION_WEBHOOK_SIGNING_SECRET": "Lk4Jh7Gf0Ds3Aq6Pw9Oe2Ir5Ut8Yy1Tz",
}
NAMES = {Role.INCIDENT: "Ada Lovelace", Role.ROLLBACK: "Grace Hopper"}


@dataclass
class Face:
    """A service as it looks from outside. `answers`: (status, body, headers) by path; others get 200."""

    url: str = ""
    answers: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)

    def says(self, path: str, status: int, document: Any = None, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.answers[path] = (status, body, headers)


@contextmanager
def facing() -> Iterator[Face]:
    face = Face()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, headers = face.answers.get(self.path, (200, b"{}", {}))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    face.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield face
    server.shutdown()
    server.server_close()


def readyz(environment: str, configuration_word: str, **changed: Any) -> dict[str, Any]:
    checks = {
        "database": {"status": "ok", "postgres": 18},
        "migrations": {"status": "ok", "current": "0009"},
        "draining": {"status": "ok"},
    }
    document = {"checks": checks, "environment": environment, "release": "dev"}
    return document | {"configuration": configuration_word} | changed


@dataclass
class World:
    """`policy` is what the database provider promises. `look()` runs every check but the smoke test."""

    production: Face
    staging: Face
    state_dir: Path
    word: str
    policy: BackupPolicy

    def look(self) -> dict[str, Result]:
        asked = preflight_looks.target("", "", "", "")
        found: Mapping[str, Look] = {**Looks(asked).all(), "smoke": lambda: Finding(State.PASS, "not here")}
        runner = Runner(found, system_clock, lambda _check, _result: None, wait=lambda _seconds: None)
        return {one.name: one for one in runner.run(preflight_looks.planned(asked).checks)}

    def ready(self, **changed: Any) -> None:
        self.production.says("/api/readyz?verbose", 200, readyz("production", self.word, **changed))

    def sql(self, statement: str, **values: Any) -> None:
        with wiring.transaction() as session:
            session.execute(text(statement), values)


@contextmanager
def world(database_url: str, state_dir: Path, patch: Callable[..., None]) -> Iterator[World]:
    """`patch(target, name, value)` as pytest's monkeypatch does it."""
    with facing() as production, facing() as staging:
        files = state_dir / "secrets"
        files.mkdir(parents=True, exist_ok=True)
        values = _variables(database_url, production.url, state_dir)
        for name in ("production", "staging"):
            (files / f"{name}.env").write_text("".join(f"{key}='{value}'\n" for key, value in values.items()))
        os.environ["FIRSTUSER_ENV_FILE"] = str(files / "production.env")
        settings = load()
        port = int(staging.url.rpartition(":")[2])
        settings = replace(settings, stack=settings.stack.model_copy(update={"staging_port": port}))
        made = World(production, staging, state_dir, configuration(settings), _policy())
        _wire(settings, made, patch)
        made.ready()
        staging.says("/api/readyz?verbose", 200, readyz("staging", "other"))
        _in_order()
        yield made
        del os.environ["FIRSTUSER_ENV_FILE"]


def _variables(database_url: str, public_url: str, state_dir: Path) -> dict[str, str]:
    return SECRETS | {
        "DATABASE_URL": database_url,
        "PUBLIC_APP_URL": public_url,
        "FOUNDER_PHONES": OWNER_PHONE,
        "HOMEPAGE_OWNER_PHONE": OWNER_PHONE,
        "VITE_HOMEPAGE_SPACE_SLUG": SLUG,
        "EMAIL_FROM": "FirstUser <hello@firstuser.example>",
        "FIRSTUSER_ENV": "production",
        "FIRSTUSER_EMBEDDED": "true",
        "FIRSTUSER_DATA_KEY": DATA_KEY,
        "FIRSTUSER_STATE_DIR": str(state_dir),
        "FIRSTUSER_OUTBOX_DIR": str(state_dir / "outbox"),
    }


class _Database:
    name = "embedded"

    def __init__(self, of: World) -> None:
        self._of = of

    def backup_policy(self) -> BackupPolicy:
        return self._of.policy


def _policy() -> BackupPolicy:
    return BackupPolicy(True, 14, system_clock() - timedelta(seconds=20))


def _wire(settings: Any, made: World, patch: Callable[..., None]) -> None:
    from api.core.crypto import Vault, data_keys
    from api.db.engine import make_engine
    from api.providers.hosting.local import LocalHosting

    engine = make_engine(settings.platform.database_url.get_secret_value())
    patch(wiring, "settings", lambda: settings)
    patch(wiring, "engine", lambda: engine)
    patch(wiring, "transaction", lambda: session_scope(engine))
    patch(wiring, "database", lambda: _Database(made))
    patch(wiring, "vault", lambda: Vault(data_keys(DATA_KEY)))
    patch(wiring, "hosting", lambda: LocalHosting(made.state_dir, {"staging": made.staging.url}))


def _in_order() -> None:
    """Drill, receipts, watcher, owners, rehearsal, secrets: all as they should be."""
    now = system_clock()
    with wiring.transaction() as session:
        for role in (Role.INCIDENT, Role.ROLLBACK):
            asked = Assignment(role, NAMES[role], "email", f"{role.value}@firstuser.example")
            owners.assign(session, wiring.vault(), asked, "test", now)
            owners.confirm(session, owners.call(session, wiring.vault(), role, "test", now).code, now)
            acknowledged(session, NAMES[role])
        alert_queries.put_report(session, "watcher", now, True, now)
        passed_drill(session)
        one = rehearsals.begin(
            session,
            service="staging",
            of_release="dev",
            to_release="before",
            home="a",
            back_to="b",
            flow_run_id=None,
            now=now,
        )
        rehearsals.went_back(session, one, 2)
        rehearsals.came_forth(session, one, 2)
        rehearsals.finish(session, one, passed=True, detail="", now=now)
        session.execute(text("update api_keys set created_at = now()"))
        session.execute(text("delete from ops.secret_versions"))
        session.execute(
            text(
                "insert into ops.secret_versions (name, version, kind, reference, stage, made_by, minted_at,"
                " current_at) select kind, 1, kind, 'r', 'current', 'test', now(), now()"
                " from unnest(cast(:kinds as text[])) kind"
            ),
            {"kinds": list(preflight_looks.PLATFORM_KINDS)},
        )


def acknowledged(session: Any, by: str) -> None:
    """A test alert, sent and acknowledged by its code."""
    now, code = system_clock(), os.urandom(8).hex()
    alert_id = alerts.test(session, "production", by, now)
    session.execute(
        text("update alert_messages set state = 'sent', sent_at = :now where alert_id = :id"),
        {"now": now, "id": alert_id},
    )
    session.execute(
        text(
            "insert into alert_ack_codes (code_sha256, alert_id, message_id, expires_at)"
            " select :code, :id, id, :until from alert_messages where alert_id = :id"
        ),
        {"code": alerts.digest(code), "id": alert_id, "until": now + timedelta(days=1)},
    )
    alerts.acknowledge_by_code(session, code, by, now)


def passed_drill(session: Any) -> str:
    now = system_clock()
    drill_id = drills.begin(
        session,
        asked_target="latest",
        trigger="cli",
        flow_run_id=None,
        rto_target=900,
        rpo_target=120,
        check_names=[],
        now=now,
    )
    drills.record_phase(session, drill_id, Phase.POINT, 2.0)
    drills.finish(session, drill_id, Verdict(DrillStatus.PASSED, [], ""), now)
    return drill_id
