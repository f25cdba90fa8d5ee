"""Every route × every role, over real HTTP: who is let in, how the others are refused, and what they change.

A route without a decision fails; so does a decision whose route is gone.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import httpx
import pytest
from fastapi.routing import APIRoute

from api.http.routers import ROUTERS
from tests.security.conftest import Ground
from tests.security.decisions import DECISIONS, Decision, For

SIGNED_OUT = ("anonymous", "session ended", "session idle", "session forged")
FOREIGN = ("key", "widget", "metrics")
"""Credentials that are good, but not for this."""
ADDRESSES = count(1)
"""Each call comes from an address of its own: limits by address are tested elsewhere."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def to_login(self) -> bool:
        return self.status == 303 and self.headers.get("location", "").startswith("/login")

    @property
    def refused(self) -> bool:
        return self.status in (401, 403, 404) or self.to_login


def routes() -> set[str]:
    """As the application serves them, without what the framework adds for HEAD."""
    found = {
        f"{method} {route.path}"
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    return found | {"GET /api/openapi.json", "GET /static/{path}"}


def template(decision: Decision) -> str:
    """A parameter that is spelled out belongs to the route all the same."""
    path = decision.path.partition("?")[0].replace("{other_", "{")
    for named in ("features", "flags"):
        path = path.replace(f"/{named}/webhook_retries_paused", f"/{named}/{{key}}")
    return f"{decision.method} {path}"


def test_every_route_has_a_decision() -> None:
    decided = [template(decision) for decision in DECISIONS]
    assert not routes() - set(decided), "decide in tests/security/decisions.py whom these are for"
    assert not set(decided) - routes(), "these routes are gone"
    assert len(decided) == len(set(decided))


def test_a_route_that_nobody_has_decided_on_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = routes()
    monkeypatch.setattr(ROUTERS[0], "routes", [*ROUTERS[0].routes])
    ROUTERS[0].get("/brand-new")(lambda: None)
    assert routes() - before == {"GET /api/brand-new"}


def expected(decision: Decision) -> Iterator[tuple[str, int | str]]:
    """(role, status) of everybody who is refused; "login" for a page that sends there."""
    out = 401 if decision.path.startswith("/api/") else "login"
    proof = 403 if decision.path.startswith("/api/") else "login"
    unsafe = decision.method != "GET"
    match decision.audience:
        case For.ANYBODY:
            pass
        case For.LINK:
            yield from ((role, decision.unknown) for role in ("anonymous", "owner", "homepage"))
        case For.METRICS:
            yield from ((role, 404) for role in ("anonymous", "owner", "homepage", "key", "widget"))
        case For.DRILL:
            yield from ((role, 404) for role in ("anonymous", "owner", "homepage", "key", "metrics"))
        case For.WATCHER:
            yield from ((role, 422) for role in ("anonymous", "owner", "homepage", "key", "metrics"))
        case For.PARTNER | For.PARTNER_OWN:
            refused = ("anonymous", "owner", "homepage", "widget", "metrics", "key revoked", "key forged")
            yield from ((role, 401) for role in refused)
            if decision.audience is For.PARTNER_OWN:
                yield "key of another", 404
        case For.WIDGET:
            refused = ("anonymous", "owner", "homepage", "key", "metrics", "widget token, ended")
            yield from ((role, 401) for role in refused)
        case _:
            yield from ((role, out) for role in (*SIGNED_OUT, *FOREIGN))
    if decision.audience in (For.SPACE, For.SPACE_PROVEN):
        yield from ((role, 404) for role in ("stranger", "homepage"))
    if decision.audience is For.SPACE_PROVEN:
        yield "proof too old", proof
    if decision.audience is For.HOMEPAGE:
        yield from ((role, 403) for role in ("owner", "stranger"))
    rides_on_cookie = not decision.path.startswith(("/api/integration/", "/api/widget/", "/api/ops/"))
    if unsafe and rides_on_cookie:
        yield from ((role, 403) for role in ("owner on a foreign page", "owner of no page"))


def let_in(decision: Decision) -> tuple[str, ...]:
    return (
        decision.by
        or {
            For.ANYBODY: ("anonymous", "owner"),
            For.LINK: (),
            For.DRILL: (),
            For.FOUNDER: ("owner", "stranger", "homepage", "proof too old"),
            For.SPACE: ("owner",),
            For.SPACE_PROVEN: ("owner",),
            For.HOMEPAGE: ("homepage",),
            For.PARTNER: ("key", "key of another"),
            For.PARTNER_OWN: ("key",),
            For.WIDGET: ("widget",),
            For.WATCHER: ("watcher",),
            For.METRICS: ("metrics",),
        }[decision.audience]
    )


def test_whom_a_route_is_not_for_is_refused_and_changes_nothing(ground: Ground) -> None:
    before, wrong, cells = ground.digests(), [], 0
    for decision in DECISIONS:
        for role, status in expected(decision):
            answer, cells = call(ground, decision, role), cells + 1
            ok = answer.to_login if status == "login" else answer.status == status
            if not ok:
                wrong.append(f"{decision.name} as {role}: {answer.status} instead of {status}")
    assert not wrong, "\n".join(wrong)
    assert ground.digests() == before
    print(f"{cells} refusals over {len(DECISIONS)} routes")
    assert cells > 1000


def test_whom_a_route_is_for_is_let_in(ground: Ground) -> None:
    """Whatever it answers then: not that somebody may not, nor that nothing is there, nor that it broke."""
    wrong: list[str] = []
    for decision in DECISIONS:
        for role in let_in(decision):
            answer = call(ground, decision, role)
            missing = answer.status == 404 and decision.audience not in NOT_THERE
            to_login = answer.to_login and decision.name not in SIGNS_OUT
            if answer.status in (401, 403, 405) or to_login or missing or answer.status >= 500:
                allowed = answer.status in (502, 503) and decision.name in ELSEWHERE
                if not allowed:
                    wrong.append(f"{decision.name} as {role}: {answer.status} {answer.body[:200]!r}")
    assert not wrong, "\n".join(wrong)


def test_no_credential_was_written_down(ground: Ground) -> None:
    """Neither in a line of the log nor in a file of the product's."""
    call(ground, next(one for one in DECISIONS if one.path == "/app"), "owner")
    wanted = {value for headers in ground.world.roles.values() for value in headers.values()}
    secrets = {value.split(" ")[-1].partition("=")[2] or value.split(" ")[-1] for value in wanted}
    secrets = {value for value in secrets if len(value) > 30}
    assert len(secrets) > 8
    state = ground.served.settings.stack.state_dir
    _until_logged(ground, '"path":"/app"')
    written = ground.log.getvalue() + "".join(
        one.read_text(errors="replace") for one in state.rglob("*") if one.is_file()
    )
    assert not [value[:6] for value in secrets if value in written]


def _until_logged(ground: Ground, wanted: str) -> None:
    """The answer can be here before its line."""
    patience = time.monotonic() + 10
    while wanted not in ground.log.getvalue():
        assert time.monotonic() < patience, f"no line with {wanted}"
        time.sleep(0.01)


NOT_THERE = (For.ANYBODY, For.FOUNDER, For.HOMEPAGE)
"""What is asked about there is made up: it is not found, by whoever may look."""
SIGNS_OUT = ("POST /app/account/sessions/end-all", "POST /auth/logout")
"""To the login is where these lead."""
ELSEWHERE = (
    "POST /api/founder/v1/ops/drills",
    "POST /api/founder/v1/ops/preflights",
    "POST /app/ops/drills",
    "POST /app/ops/preflights",
    "GET /api/founder/v1/ops/backups",
)
"""Prefect and the backups, which are not there."""


def call(ground: Ground, decision: Decision, role: str) -> Answer:
    address = next(ADDRESSES)
    ip = f"10.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
    content, more = ground.body(decision, role)
    headers = {**ground.headers(role), **more, "X-Forwarded-For": ip, "Accept": "text/html"}
    url = decision.path
    for name, value in ground.world.given.items():
        url = url.replace(f"{{{name}}}", value)
    request = ground.client.build_request(decision.method, url, headers=headers, content=content)
    with_stream = ground.client.send(request, stream=True)
    try:
        body = b"" if decision.stream and with_stream.status_code == 200 else with_stream.read()
    finally:
        with_stream.close()
    answer = Answer(with_stream.status_code, with_stream.headers, body)
    ground.seen.append((decision, role, answer.status, answer.headers))
    return answer
