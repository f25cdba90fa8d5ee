"""The smoke test against the product itself, served for real, through a proxy that breaks one thing of it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import monotonic

import httpx
import pytest
from sqlalchemy import text

from api import dispatching
from api.core.access import synthetic
from api.core.preflight.records import Finding, Part, State
from api.core.preflight.smoke import STEPS, Credentials
from api.core.presence import queries as presence
from api.core.webhooks import totals
from api.core.webhooks.standing import standing
from api.db.engine import driver_connection
from api.providers.preflight import smoke
from api.providers.preflight.smoke import Place
from api.settings import Settings
from deployments.dispatcher import dispatch
from flows import preflight_tenant, wiring
from flows.preflight_tenant import SyntheticTenant
from tests.browser.chromium import executable
from tests.flows.preflight_world import world
from tests.product import seeded
from tests.serving import Served, serving

__all__ = ["seeded"]

_ATTEMPTS = (
    "select count(*) from webhook_attempts as a join webhook_endpoints as e on e.id = a.endpoint_id"
    " where e.integration_id = %(id)s"
)
Change = Callable[["Asked", httpx.Response], httpx.Response]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    body: bytes


@dataclass
class Proxy:
    """In front of the product. `change` gets every answer and may turn it into another."""

    url: str = ""
    change: Change | None = None
    seen: list[Asked] = field(default_factory=list[Asked])


@contextmanager
def proxying(target: str) -> Iterator[Proxy]:
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "connection"}}
            asked = Asked(self.command, self.path, body)
            answer = httpx.request(
                self.command, target + self.path, content=body, headers=headers, trust_env=False, timeout=30
            )
            changed = proxy.change(asked, answer) if proxy.change else answer
            proxy.seen.append(asked)
            self.send_response(changed.status_code)
            for name, value in changed.headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(changed.content)))
            self.end_headers()
            self.wfile.write(changed.content)

        do_GET = do_POST = _pass

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield proxy
    server.shutdown()
    server.server_close()


@contextmanager
def dispatching_for(settings: Settings) -> Iterator[None]:
    """The real dispatcher, on a loop of its own."""
    loop = asyncio.new_event_loop()
    stop: list[asyncio.Event] = []

    async def run() -> None:
        stop.append(asyncio.Event())
        await dispatch(dispatching.ports(settings, "test"), stop[0])

    thread = Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    yield
    loop.call_soon_threadsafe(stop[0].set)
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def product(seeded: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    patch = pytest.MonkeyPatch()
    url = seeded.platform.database_url.get_secret_value()
    folder = tmp_path_factory.mktemp("smoke")
    with (
        world(url, folder, patch.setattr),
        serving(seeded) as served,
        dispatching_for(served.settings),
    ):
        yield served
    patch.undo()


@pytest.fixture
def proxy(product: Served) -> Iterator[Proxy]:
    with proxying(product.url) as made:
        yield made
    with wiring.transaction() as session:  # no more than five test events a minute are sent
        session.execute(text("delete from audit where action = 'webhooks.test'"))


def run(proxy: Proxy, tenant: SyntheticTenant | None = None, browser: str | None = None) -> Finding:
    """Addresses that the product hands out lead past the proxy, unless a test turns them."""
    return smoke.run(Place(proxy.url, browser), tenant or SyntheticTenant())


def parts(found: Finding) -> dict[str, Part]:
    return {one.name: one for one in found.parts}


def left() -> dict[str, int]:
    """What there is of the tenant beside its empty space."""
    counts = {
        "entries": "select count(*) from entries where space_id = :space",
        "conversations": "select count(*) from conversations where space_id = :space",
        "presence": "select count(*) from presence where integration_id = :integration",
        "grants": "select count(*) from grants where integration_id = :integration",
        "keys": "select count(*) from api_keys where integration_id = :integration"
        " and revoked_at is null and (expires_at is null or expires_at > now())",
        "addresses": "select count(*) from integrations where id = :integration"
        " and (webhook_url is not null or return_urls <> '{}' or origins <> '{}')",
    }
    known = {"space": synthetic.SPACE_ID, "integration": synthetic.INTEGRATION_ID}
    with wiring.transaction() as session:
        return {name: session.execute(text(query), known).scalar_one() for name, query in counts.items()}


def test_everything_works_and_nothing_is_left(proxy: Proxy) -> None:
    found = run(proxy)
    assert {name: one.observed for name, one in parts(found).items() if one.state is not State.PASS} == {}
    assert set(parts(found)) == {one.name for one in STEPS}
    assert "HTTP, because no browser is installed" in parts(found)["redirect"].observed
    refused = " ".join(one.observed for one in found.parts)
    for control in (
        "a tampered body",
        "a stale timestamp",
        "a wrong secret",
        "a replayed code",
        "a foreign origin",
        "a wrong key",
        "a wrong verifier",
    ):
        assert control in refused
    assert set(left().values()) == {0}
    with wiring.transaction() as session:
        assert session.execute(text("select slug from spaces where synthetic")).scalars().all() == [
            synthetic.SLUG
        ]


@pytest.mark.skipif(executable() is None, reason="no Chromium on PATH")
def test_visitors_are_real_browsers_where_there_is_one(proxy: Proxy) -> None:
    found = run(proxy, browser=executable())
    assert found.state is State.PASS
    for name in ("redirect", "embedded"):
        assert "(Chromium" in parts(found)[name].observed


KILLED = """
import sys
from api.providers.preflight import smoke
from flows import preflight_tenant, wiring
from flows.preflight_tenant import SyntheticTenant
with wiring.smoke_lock():
    smoke.run(smoke.Place(sys.argv[1], None), SyntheticTenant())
"""


@contextmanager
def in_the_middle(proxy: Proxy) -> Iterator[subprocess.Popen[bytes]]:
    """A smoke test in a process of its own, whose heartbeat has arrived and is not answered."""
    reached, over = Event(), Event()

    def hold(asked: Asked, answer: httpx.Response) -> httpx.Response:
        if asked.path.endswith("/heartbeat"):
            reached.set()
            over.wait(120)
        return answer

    proxy.change = hold
    child = subprocess.Popen([sys.executable, "-c", KILLED, proxy.url])
    try:
        assert reached.wait(120)
        yield child
    finally:
        child.kill()
        child.wait()
        over.set()
        proxy.change = None


@pytest.mark.parametrize("by", ["the sweep", "the next run"])
def test_what_a_killed_run_left_is_taken_away(proxy: Proxy, by: str) -> None:
    with in_the_middle(proxy) as child:
        assert preflight_tenant.sweep() == [], "it is being used"
        there = left()
        child.kill()
        child.wait()
    assert left() == there
    assert min(there[what] for what in ("entries", "grants", "presence", "keys", "addresses")) > 0
    if by == "the next run":
        assert run(proxy).state is State.PASS
    else:
        deadline = monotonic() + 60
        while not (said := preflight_tenant.sweep()):
            assert monotonic() < deadline, "the lock of the dead is not free"
        assert "interrupted" in said[0]
    assert set(left().values()) == {0}
    assert preflight_tenant.sweep() == []


def test_it_is_in_no_number_while_it_lasts(proxy: Proxy, product: Served) -> None:
    """Per-minute presence and the metrics of deliveries; the rollback rules have tests of their own."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    with wiring.transaction() as session:
        before = totals.read(session)
        standing_before = standing(session, datetime.now(UTC), lambda _: True)
    with in_the_middle(proxy), wiring.transaction() as session:
        connection = driver_connection(session)
        presence.sample(connection, minute, minute - timedelta(hours=1))
        sampled = connection.execute("select integration_id from presence_minutes").fetchall()
        sent = connection.execute(_ATTEMPTS, {"id": synthetic.INTEGRATION_ID}).fetchone()
        assert standing(session, datetime.now(UTC), lambda _: True) == standing_before
    assert sent and sent[0] > 0, "its webhooks were sent, all the same"
    assert synthetic.INTEGRATION_ID not in {one for (one,) in sampled} and sampled
    with wiring.transaction() as session:
        assert totals.read(session) == before
    preflight_tenant.sweep()


def answered(status: int, document: object, like: httpx.Response) -> httpx.Response:
    return httpx.Response(status, json=document, request=like.request)


def _let_any_key_in(asked: Asked, answer: httpx.Response) -> httpx.Response:
    if asked.path.endswith("/me") and answer.status_code == 401:
        return answered(200, {"id": synthetic.INTEGRATION_ID}, answer)
    return answer


def _any_return_url(asked: Asked, answer: httpx.Response) -> httpx.Response:
    return answered(201, {}, answer) if b"elsewhere.example/back" in asked.body else answer


def _any_embed_origin(asked: Asked, answer: httpx.Response) -> httpx.Response:
    foreign = (
        asked.path.endswith("/waitlist/start") and b'"embed_origin":"https://elsewhere.example"' in asked.body
    )
    return answered(201, {}, answer) if foreign else answer


def _replays(asked: Asked, answer: httpx.Response) -> httpx.Response:
    if asked.path.endswith("/access/exchange") and answer.status_code >= 400:
        return answered(200, {"user": {"external_user_id": "?"}}, answer)
    return answer


def _nobody_is_live(asked: Asked, answer: httpx.Response) -> httpx.Response:
    return answered(200, {"data": []}, answer) if asked.path.endswith("/users/live") else answer


def _nobody_answers(asked: Asked, answer: httpx.Response) -> httpx.Response:
    heard = asked.method == "GET" and "/chat/messages" in asked.path
    return answered(200, {"data": []}, answer) if heard else answer


def _widget_for_all(asked: Asked, answer: httpx.Response) -> httpx.Response:
    return (
        answered(200, {}, answer)
        if asked.path.endswith("/widget/token") and answer.status_code >= 400
        else answer
    )


def _not_delivered(asked: Asked, answer: httpx.Response) -> httpx.Response:
    return (
        answered(200, {"delivered": False, "failure": "timed_out"}, answer)
        if asked.path.endswith("/webhooks/test")
        else answer
    )


def _down(asked: Asked, answer: httpx.Response) -> httpx.Response:
    return httpx.Response(502, request=answer.request) if asked.path.endswith("/heartbeat") else answer


@pytest.mark.parametrize(
    ("change", "step", "said"),
    [
        (_let_any_key_in, "tenant", "did not refuse a wrong key"),
        (_any_return_url, "redirect", "did not refuse an address that is not registered"),
        (_any_embed_origin, "embedded", "did not refuse a foreign origin"),
        (_replays, "exchange", "did not refuse a wrong verifier"),
        (_nobody_is_live, "heartbeat", "not among the live users"),
        (_down, "heartbeat", "502"),
        (_nobody_answers, "widget", "answer did not come"),
        (_widget_for_all, "widget", "did not refuse a foreign origin"),
        (_not_delivered, "webhook", "timed_out"),
    ],
)
def test_what_is_broken_fails_alone_and_what_builds_on_it_is_skipped(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, change: Change, step: str, said: str
) -> None:
    monkeypatch.setattr(smoke, "SEEN_S", 0.5)
    proxy.change = change
    found = parts(run(proxy))
    assert {name for name, one in found.items() if one.state in {State.FAIL, State.ERROR}} == {step}
    assert said in found[step].observed
    assert found[step].fix
    behind = {one.name for one in STEPS if step in one.after}
    assert behind <= {name for name, one in found.items() if one.state is State.SKIP}
    assert set(left().values()) == {0}


class WrongSecret(SyntheticTenant):
    def prepare(self, origin: str, return_url: str, webhook_url: str | None) -> Credentials:
        return replace(super().prepare(origin, return_url, webhook_url), webhook_secret="whsec_" + "B" * 32)


def test_a_signature_that_does_not_verify_is_seen(proxy: Proxy) -> None:
    found = parts(run(proxy, WrongSecret()))
    assert {name for name, one in found.items() if one.state is not State.PASS} == {"webhook"}
    assert "does not verify" in found["webhook"].observed


def test_no_result_holds_a_credential(proxy: Proxy) -> None:
    given: list[Credentials] = []

    class Noting(SyntheticTenant):
        def prepare(self, origin: str, return_url: str, webhook_url: str | None) -> Credentials:
            given.append(super().prepare(origin, return_url, webhook_url))
            return given[-1]

    proxy.change = _replays
    said = json.dumps([one.observed + one.fix for one in run(proxy, Noting()).parts])
    assert given[0].api_key not in said and given[0].webhook_secret not in said
    assert "code=" not in said
