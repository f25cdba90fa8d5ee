"""The loader and the frame: who may put it on a page, and what it may do there."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

FOREIGN = ("https://evil.example", "https://app.partner.example/", "", "*")
ORIGINS = ["https://app.partner.example", "http://127.0.0.1:9", "https://evil.example; script-src *"]


@pytest.fixture
def origins(app: FastAPI, integration_id: str) -> Iterator[list[str]]:
    """Registered ones; the last could only have come past the rules of registration."""
    change = text("update integrations set origins = :origins where id = :id")
    with app.state.services.transaction() as session:
        query = text("select origins from integrations where id = :id")
        before = session.execute(query, {"id": integration_id}).scalar_one()
        session.execute(change, {"origins": ORIGINS, "id": integration_id})
    yield ORIGINS
    with app.state.services.transaction() as session:
        session.execute(change, {"origins": before, "id": integration_id})


def policy(anyone: TestClient, integration_id: str, origin: str) -> tuple[int, dict[str, str]]:
    address = f"/widget/frame?integration={integration_id}&origin={quote(origin, safe='')}"
    answer = anyone.get(address, headers={"Accept": "text/html"})
    said = answer.headers["content-security-policy"].split("; ")
    return answer.status_code, dict(part.split(" ", 1) for part in said)


def test_only_registered_pages_may_frame_it(
    anyone: TestClient, integration_id: str, origins: list[str]
) -> None:
    status, said = policy(anyone, integration_id, origins[0])
    assert status == 200 and said["frame-ancestors"] == " ".join(origins[:2])
    assert said["script-src"] == said["style-src"] == said["connect-src"] == "'self'"
    assert said["default-src"] == "'none'"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.partner.example/", "", "*", ORIGINS[2]]
)
def test_everywhere_else_nobody_may(
    anyone: TestClient, integration_id: str, origins: list[str], origin: str
) -> None:
    status, said = policy(anyone, integration_id, origin)
    assert status == 404 and said["frame-ancestors"] == "'none'"


def test_an_unknown_integration_has_no_frame(anyone: TestClient, origins: list[str]) -> None:
    status, said = policy(anyone, "int_unknown", origins[0])
    assert status == 404 and said["frame-ancestors"] == "'none'"


def test_the_frame_holds_nothing_of_anyone(
    anyone: TestClient, integration_id: str, origins: list[str]
) -> None:
    address = f"/widget/frame?integration={integration_id}&origin={quote(origins[0], safe='')}"
    answer = anyone.get(address)
    assert f'data-origin="{origins[0]}"' in answer.text and "set-cookie" not in answer.headers
    assert answer.text.count("<script") == 1 and " style=" not in answer.text


def test_partners_pages_load_the_loader(anyone: TestClient) -> None:
    answer = anyone.get("/widget.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "max-age" in answer.headers["cache-control"]
    for path in ("/widget.js", "/static/widget_frame.js"):
        script = anyone.get(path).text
        assert '"*"' not in script and "localStorage" not in script and "innerHTML" not in script
