"""Every operation answers as the published document says, whatever it is sent: schemathesis makes the calls.

Half of them name things that exist and addresses that are registered, so that more than refusals is seen.
"""

from collections import defaultdict
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract.conftest import SITE, Service

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 4  # of each kind
# Streams have no end, a drill starts a program, and backups and test events go out to other machines.
ELSEWHERE = ("/stream", "/ops/drills", "/ops/preflights", "/ops/backups", "/webhooks/test")
# Goes through only with what nobody can make up: a code, a drill. Decided once: the other way is a conflict.
ONLY_REFUSED = {
    "POST /api/integration/v1/access/exchange",
    "GET /api/founder/v1/ops/drills/{drill_id}",
    "GET /api/founder/v1/ops/preflights/{preflight_id}",
    "POST /api/founder/v1/ops/preflights/{preflight_id}/sign-off",
    "POST /api/founder/v1/entries/{entry_id}/reject",
    "POST /api/founder/v1/integrations/{integration_id}/secrets/try",
}
BODIES = {
    "/api/integration/v1/waitlist/start": {
        "return_url": f"{SITE}/welcome",
        "state": "s",
        "embed_origin": SITE,
        "email": "someone@example.com",
        "phone": "+15550100123",
    },
    "/api/integration/v1/widget/token": {"origin": SITE},
    "/api/founder/v1/spaces/{slug}/entries/bulk": {"ids": ["wle_none"], "first_n": None},
    "/api/founder/v1/spaces/{slug}/integrations": {"name": "Another app"},
    "/api/founder/v1/integrations/{integration_id}/keys/rotate": {"force": True},
    "/api/founder/v1/integrations/{integration_id}/secrets/rotate": {"force": True},
    "/api/founder/v1/integrations/{integration_id}/webhooks/endpoints": {
        "url": f"{SITE}/more",
        "event_types": ["user.deleted"],
    },
    "/api/founder/v1/integrations/{integration_id}/webhooks/replays": {
        "since": "2020-01-01T00:00:00Z",
        "until": "2099-01-01T00:00:00Z",
        "type": None,
        "only_exhausted": False,
    },
}

# By the beginning of the path. A list that is empty says: nothing.
SHOWN: dict[str, list[dict[str, list[str]]]] = {
    "/api/integration/": [{"integrationKey": []}],
    "/api/widget/": [{"widgetToken": []}],
    "/api/founder/": [{"founderSession": []}],
    "/auth/": [],
    "/api/": [],
}


@pytest.mark.parametrize("surface", ["/api/integration/", "/api/founder/"])
def test_nothing_happens_that_is_not_written(service: Service, surface: str) -> None:
    seen: dict[str, set[int]] = defaultdict(set)
    for operation in operations(service, surface):
        for mode in modes(operation):
            for real in (False, True):
                drive(service, operation, mode, real, seen[operation.label])
    assert {label for label, statuses in seen.items() if min(statuses) >= 300} <= ONLY_REFUSED
    assert len(seen) >= 8


def operations(service: Service, surface: str) -> list[Any]:
    schema = schemathesis.openapi.from_dict(dict(service.document))
    found = [one.ok() for one in schema.get_all_operations()]
    ours = [one for one in found if one.path.startswith(surface) and not one.path.endswith(ELSEWHERE)]
    return sorted(ours, key=lambda one: turn(one.method, one.path))


def turn(method: str, path: str) -> int:
    """Switches and deletions take from others: they come late, and the end of one's own session last."""
    if method.upper() == "DELETE":
        return 3 if path.endswith("/sessions") else 2
    return any(word in path for word in ("features", "flags", "onboarding"))


def modes(operation: Any) -> list[GenerationMode]:
    """A path alone cannot be wrong: every text is an id."""
    wrong = operation.body.items or operation.query.items
    return [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if wrong else [])]


def drive(service: Service, operation: Any, mode: GenerationMode, real: bool, seen: set[int]) -> None:
    caller = service.caller(operation.path)
    base_url = str(caller.base_url).rstrip("/")
    headers = {name: caller.headers[name] for name in ("authorization", "origin") if name in caller.headers}

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: Any) -> None:
        if real:
            make_real(service, case)
        response = case.call(base_url=base_url, headers=headers, cookies=dict(caller.cookies))
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    attempt()


def make_real(service: Service, case: Any) -> None:
    given = case.path_parameters or {}
    case.path_parameters = {name: service.known.get(name, value) for name, value in given.items()}
    if isinstance(case.body, dict):
        more = BODIES.get(case.operation.path, {})
        if "external_user_id" in case.body and "widget" in case.operation.path:
            more = more | {"external_user_id": service.known["user"]}
        if "endpoint_id" in case.body:
            more = more | {"endpoint_id": service.known["endpoint_id"]}
        case.body = case.body | more


def test_each_operation_says_what_a_caller_has_to_show(service: Service) -> None:
    schemes = service.document["components"]["securitySchemes"]
    assert {name: (one["type"], one.get("scheme") or one["in"]) for name, one in schemes.items()} == {
        "integrationKey": ("http", "bearer"),
        "widgetToken": ("http", "bearer"),
        "founderSession": ("apiKey", "cookie"),
    }
    shown = {
        f"{method} {path}": (operation.get("security"), SHOWN[next(filter(path.startswith, SHOWN))])
        for path, methods in service.document["paths"].items()
        for method, operation in methods.items()
    }
    assert {label: said for label, (said, due) in shown.items() if said != due} == {}
    assert len(shown) > 40
