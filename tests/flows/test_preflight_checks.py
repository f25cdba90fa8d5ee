"""For every check: break exactly that thing, and exactly that check fails and says what to do."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from api.core.clock import system_clock
from api.core.ports import BackupPolicy
from api.core.preflight.catalogue import CHECKS
from api.core.preflight.judging import service as judging
from api.core.preflight.judging.service import Zone
from api.core.preflight.records import Role, State
from api.providers.edge.cloudflare import Cloudflare
from api.providers.preflight import tls
from api.providers.preflight.outside import Outside
from api.settings import Settings
from flows import preflight_looks
from tests.certificates import Authority
from tests.flows.preflight_world import NAMES, World, facing, readyz, world
from tests.product import seeded
from tests.receiver import receiving

__all__ = ["seeded"]

Break = Callable[[World], None]


@pytest.fixture(scope="module")
def place(seeded: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith("FIRSTUSER_")]:
        patch.delenv(name)
    url = seeded.platform.database_url.get_secret_value()
    with world(url, tmp_path_factory.mktemp("preflight"), patch.setattr) as made:
        yield made
    patch.undo()


def _variable(world: World) -> None:
    os.environ["SESSION_SECRET"] = "changeme-changeme-changeme-changeme"


def _release(world: World) -> None:
    world.ready(release="older")
    world.staging.says("/api/readyz?verbose", 200, readyz("staging", "other", release="older"))


def _postgres(world: World) -> None:
    older = {"database": {"status": "ok", "postgres": 17}, "migrations": {"status": "ok", "current": "0009"}}
    world.staging.says("/api/readyz?verbose", 200, readyz("staging", "other", checks=older))


def _staging_variable(world: World) -> None:
    with (world.state_dir / "secrets" / "staging.env").open("a") as file:
        file.write("FIRSTUSER_DRAIN_SECONDS='5'\n")


def _health(world: World) -> None:
    world.production.says("/api/healthz", 503)


def _ready(world: World) -> None:
    late = {"database": {"status": "ok"}, "migrations": {"status": "failing", "current": "0001"}}
    document = readyz("production", world.word, checks=late)
    world.production.says("/api/readyz?verbose", 503, document)


def _domain(world: World) -> None:
    world.production.says("/login", 404)


def _pitr(world: World) -> None:
    world.policy = BackupPolicy(False, 14, world.policy.latest_restorable, "Archiving fails.")


def _retention(world: World) -> None:
    world.policy = BackupPolicy(True, 7, world.policy.latest_restorable)


def _wal(world: World) -> None:
    world.policy = BackupPolicy(True, 14, system_clock() - timedelta(hours=2))


def _old_drill(world: World) -> None:
    world.sql("update ops.drills set finished_at = now() - interval '8 days'")


def _tampered(world: World) -> None:
    world.sql("alter table ops.evidence disable trigger user")
    world.sql("update ops.evidence set body = body || '{\"rto_seconds\": 1}' where stream = 'drills'")


def _receipt(world: World) -> None:
    world.sql(
        "update alert_ack_codes set used_at = now() - interval '25 hours' where used_by = :who",
        who=NAMES[Role.ROLLBACK],
    )


def _by_hand(world: World) -> None:
    """Acknowledged, but by nobody who had the message."""
    world.sql("delete from alert_ack_codes where used_by = :who", who=NAMES[Role.INCIDENT])


def _dead_man(world: World) -> None:
    world.sql("update watcher_reports set dead_man_ok_at = now() - interval '10 minutes'")


def _no_dead_man(world: World) -> None:
    world.sql("update watcher_reports set dead_man = false, dead_man_ok_at = null")


def _same_person(world: World) -> None:
    world.sql("update ops.owners set name = 'Ada Lovelace'")
    world.sql("update alert_ack_codes set used_by = 'Ada Lovelace'")


def _unconfirmed(world: World) -> None:
    world.sql("update ops.owners set confirmed_at = null where role = 'rollback'")


def _never_tried(world: World) -> None:
    world.sql("delete from ops.rehearsals")


def _other_release(world: World) -> None:
    world.sql("update ops.rehearsals set of_release = 'older'")


def _old_key(world: World) -> None:
    world.sql("update api_keys set created_at = now() - interval '91 days'")


def _old_secret(world: World) -> None:
    world.sql(
        "insert into webhook_secrets (id, integration_id, secret_cipher, created_at)"
        " select 'whs_old', id, 'x', now() - interval '91 days' from integrations limit 1"
    )


def _old_platform(world: World) -> None:
    world.sql(
        "update ops.secret_versions set current_at = now() - interval '181 days' where kind = 'session'"
    )


def _unknown_platform(world: World) -> None:
    world.sql("delete from ops.secret_versions where kind = 'widget'")


def _after_incident(world: World) -> None:
    world.sql(
        "insert into incident_episodes (id, rule, scope, number, mode, cause, since, tripped_at, numbers)"
        " values ('inc_1', 'R1', '', 1, 'auto', '', now(), now() + interval '1 second', '{}')"
    )


@contextmanager
def undone(world: World) -> Iterator[None]:
    """Everything that a break may have touched is as before afterwards."""
    answers = (dict(world.production.answers), dict(world.staging.answers))
    staging, policy = (world.state_dir / "secrets" / "staging.env"), world.policy
    text = staging.read_text()
    tables = ("ops.drills", "ops.evidence", "ops.owners", "ops.rehearsals", "ops.secret_versions")
    more = ("alert_ack_codes", "watcher_reports", "api_keys", "webhook_secrets", "incident_episodes")
    for number, table in enumerate((*tables, *more)):
        world.sql(f"create table kept_{number} as table {table}")
    try:
        yield
    finally:
        world.production.answers, world.staging.answers = answers
        world.policy = policy
        staging.write_text(text)
        os.environ.pop("SESSION_SECRET", None)
        world.sql("alter table ops.evidence disable trigger user")
        for number, table in enumerate((*tables, *more)):
            world.sql(f"delete from {table}")  # noqa: S608  names from above
            world.sql(f"insert into {table} overriding system value select * from kept_{number}")  # noqa: S608
            world.sql(f"drop table kept_{number}")
        world.sql("alter table ops.evidence enable trigger user")


BREAKS: list[tuple[Break, str, str, str]] = [
    (_variable, "environment.variables", "SESSION_SECRET", "openssl"),
    (_release, "environment.served", "release older", "edeploy"),
    (_postgres, "environment.staging", "Postgres major", "staging"),
    (_staging_variable, "environment.staging", "FIRSTUSER_DRAIN_SECONDS", "staging"),
    (_health, "service.health", "503", "log"),
    (_ready, "service.ready", "migrations", "readyz"),
    (_domain, "domain.api", "404", "PUBLIC_APP_URL"),
    (_pitr, "database.pitr", "off", "archiving"),
    (_retention, "database.pitr", "7 days", "retention"),
    (_wal, "database.wal", "7200 s ago", "firstuser backups"),
    (_old_drill, "database.drill", "8.0 days ago", "firstuser drill"),
    (_tampered, "database.drill", "does not verify", "evidence verify"),
    (_receipt, "alerts.receipt", "Grace Hopper", "alerts test"),
    (_by_hand, "alerts.receipt", "Ada Lovelace", "alerts test"),
    (_dead_man, "alerts.dead_man", "last at", "DEAD_MAN_URL"),
    (_no_dead_man, "alerts.dead_man", "no watcher", "DEAD_MAN_URL"),
    (_same_person, "owners.assigned", "is both", "owners assign"),
    (_unconfirmed, "owners.reached", "not confirmed", "owners call"),
    (_never_tried, "rollback.rehearsed", "never tried", "rehearse"),
    (_other_release, "rollback.rehearsed", "release older", "rehearse"),
    (_old_key, "secrets.api_keys", "91 days", "Rotate Key"),
    (_old_secret, "secrets.webhooks", "91 days", "Rotate Secret"),
    (_old_platform, "secrets.platform", "session", "firstuser rotate"),
    (_unknown_platform, "secrets.platform", "widget", "firstuser rotate"),
    (_after_incident, "secrets.platform", "incident", "firstuser rotate"),
]


def test_with_nothing_broken_everything_holds(place: World) -> None:
    assert {name: one.observed for name, one in place.look().items() if one.state is not State.PASS} == {}


@pytest.mark.parametrize(
    ("breaks", "name", "observed", "fix"), BREAKS, ids=[one[0].__name__ for one in BREAKS]
)
def test_what_is_broken_fails_alone_and_says_what_to_do(
    place: World, breaks: Break, name: str, observed: str, fix: str
) -> None:
    with undone(place):
        breaks(place)
        found = place.look()
    failed = {one.name for one in found.values() if not one.holds and one.state is not State.SKIP}
    assert failed == {name}
    assert observed in found[name].observed
    assert fix in found[name].fix
    assert Path(f"deployments/runbooks/{found[name].runbook}.md").exists()
    for skipped in (one for one in found.values() if one.state is State.SKIP):
        assert skipped.blocked_by == name
    assert "changeme" not in str(found) and "q8Zt3vLw9XkPm2Rc7YbNf4Hs6JdGa1Ue" not in str(found)


def test_every_check_is_broken_somewhere() -> None:
    elsewhere = {"smoke", "domain.tls", "domain.redirect", "domain.zone", "domain.edge"}
    assert {name for _, name, _, _ in BREAKS} | elsewhere == {one.name for one in CHECKS}


def test_an_address_of_this_machine_has_no_tls_and_the_run_says_so(place: World) -> None:
    plan = preflight_looks.planned(preflight_looks.target("", "", "", ""))
    assert not {"domain.tls", "domain.redirect", "domain.zone", "domain.edge"} & {
        one.name for one in plan.checks
    }
    for name in ("domain.tls", "domain.redirect", "domain.zone", "domain.edge"):
        assert any(line.startswith(name) for line in plan.not_checked)
    public = preflight_looks.planned(preflight_looks.target("https://app.firstuser.com", "", "", ""))
    assert {"domain.tls", "domain.redirect"} <= {one.name for one in public.checks}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize(
    ("host", "trusted", "days_on", "state", "said"),
    [
        ("localhost", True, -30, State.PASS, "Test authority"),
        ("localhost", True, 0, State.FAIL, "0 days more"),
        ("localhost", False, -30, State.FAIL, "not trusted"),
        ("elsewhere.example", True, -30, State.FAIL, "not trusted"),
    ],
)
def test_a_certificate_is_judged_as_a_browser_would(
    authority: Authority, host: str, trusted: bool, days_on: int, state: State, said: str
) -> None:
    """The authority's certificates are valid for a day: 30 days earlier, that is long enough."""
    with receiving(authority.serving(host)) as server:
        found = tls.certificate("localhost", server.port, authority.trusting() if trusted else None)
    judged = judging.certificate(found, system_clock() + timedelta(days=days_on))
    assert judged.state is state
    assert said in judged.observed


def test_no_tls_is_a_failure_and_no_crash() -> None:
    with facing() as face:
        port = int(face.url.rpartition(":")[2])
        found = judging.certificate(tls.certificate("127.0.0.1", port), system_clock())
    assert (found.state, "no TLS" in found.observed) == (State.FAIL, True)
    assert "no connection" in tls.certificate("127.0.0.1", port).problem


@pytest.mark.parametrize(
    ("status", "to", "state"),
    [
        (308, "https://127.0.0.1/", State.PASS),
        (301, "https://127.0.0.1/", State.PASS),
        (302, "https://127.0.0.1/", State.WARN),
        (200, "", State.FAIL),
        (301, "http://127.0.0.1/", State.FAIL),
        (301, "https://elsewhere.example/", State.FAIL),
    ],
)
def test_http_has_to_lead_to_https_on_the_same_host(status: int, to: str, state: State) -> None:
    with facing() as face:
        face.says("/", status, **({"Location": to} if to else {}))
        answer = Outside().get(f"{face.url}/")
    assert judging.redirect(answer, "127.0.0.1").state is state


@pytest.mark.parametrize(
    ("status", "document", "state", "said"),
    [
        (200, {"result": {"name": "firstuser.com", "status": "active"}}, State.PASS, "active"),
        (200, {"result": {"name": "firstuser.com", "status": "pending"}}, State.FAIL, "pending"),
        (200, {"result": {"name": "other.com", "status": "active"}}, State.FAIL, "other.com"),
        (403, {"errors": []}, State.FAIL, "403"),
    ],
)
def test_the_zone_is_active_and_of_this_domain(
    status: int, document: object, state: State, said: str
) -> None:
    with facing() as face:
        face.says("/zones/z1", status, document)
        found: Zone = Cloudflare(f"{face.url}/", "t0p-s3cret", "z1").zone()
    judged = judging.zone(found, "app.firstuser.com")
    assert judged.state is state
    assert said in judged.observed and "t0p-s3cret" not in judged.observed
