"""Pages: what is there for whom, and that files come from us and as they were published."""

import hashlib
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from api.http.pages.rendering import STATIC

VENDOR = STATIC / "vendor"
PAGES = (
    "/",
    "/login",
    "/outbox",
    "/app",
    "/app/live",
    "/app/chat",
    "/app/integrate",
    "/app/webhooks",
    "/app/account",
)


class Outline(HTMLParser):
    """Headings, ids, labels and addresses of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(int(tag[1]))
        if "id" in given:
            self.ids.append(given["id"])
        self.addresses += [given[name] for name in ("src", "action") if name in given]
        if tag == "link":
            self.addresses.append(given["href"])


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_one_outline_and_asks_no_other_host(founder: TestClient, path: str) -> None:
    page = founder.get(path, follow_redirects=True)
    outline = Outline(page.text)
    assert outline.headings.count(1) == 1 and outline.headings[0] == 1
    assert all(
        later - earlier <= 1 for earlier, later in zip(outline.headings, outline.headings[1:], strict=False)
    )
    assert len(outline.ids) == len(set(outline.ids))
    assert all(address.startswith("/") and not address.startswith("//") for address in outline.addresses)
    assert all(
        founder.get(address).status_code == 200 for address in outline.addresses if "/static/" in address
    )


@pytest.mark.parametrize(
    "path", ["/app", "/app/live", "/app/integrate", "/app/account", "/app/ops", "/app/ops/drills/drl_x"]
)
def test_tools_need_a_login_and_lead_back(anyone: TestClient, path: str) -> None:
    answer = anyone.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")


def test_a_fragment_without_a_session_sends_the_whole_page_to_the_login(anyone: TestClient) -> None:
    answer = anyone.get("/app/ops/state", headers={"HX-Request": "true"})
    assert answer.headers["hx-redirect"] == "/login"


def test_the_outbox_is_for_this_machine_only(anyone: TestClient) -> None:
    assert anyone.get("/outbox").status_code == 200
    assert anyone.get("/outbox", headers={"Host": "rebound.example"}).status_code == 404


def test_vendored_files_are_what_was_published() -> None:
    lines = (VENDOR / "SHA256SUMS").read_text().splitlines()
    files = {str(path.relative_to(VENDOR)) for kind in ("*.js", "*.css") for path in VENDOR.rglob(kind)}
    assert {line.split()[1] for line in lines} == files
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
        assert list((VENDOR / name).parent.glob("LICENSE*"))


def test_static_files_are_cached_for_ever_only_by_their_hash(anyone: TestClient) -> None:
    assert "immutable" in anyone.get("/static/app.css?v=1").headers["cache-control"]
    assert "immutable" not in anyone.get("/static/app.css").headers["cache-control"]
    assert anyone.get("/static/../app.py").status_code == 404
