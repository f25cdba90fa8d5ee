"""What every answer says to browsers, whatever the route, the role and the status."""

import re

import httpx
import pytest

from api.http.middleware import content_policy
from tests.security.conftest import Ground
from tests.security.decisions import DECISIONS, Decision
from tests.security.test_authorisation import call, let_in

ROLES = ("anonymous", "stranger")
SAFE = [decision for decision in DECISIONS if decision.method == "GET"]
FRAMED = ("/widget/frame", "/w/embed/{token}")
"""What partners' pages show, where their origins are registered; nothing else may stand in a frame."""


def answers(ground: Ground) -> list[tuple[Decision, str, int, httpx.Headers]]:
    """Of every page and every read, to whoever it is for and to who has nothing to look for there."""
    ground.seen.clear()
    for decision in SAFE:
        for role in {*ROLES, *let_in(decision)}:
            call(ground, decision, role)
    return list(ground.seen)


def test_every_answer_says_what_a_browser_must_not_do(ground: Ground) -> None:
    policy, pages = content_policy(), 0
    for decision, role, status, headers in answers(ground):
        where = f"{decision.name} as {role}: {status}"
        assert headers["x-content-type-options"] == "nosniff", where
        assert headers["referrer-policy"] in ("same-origin", "no-referrer"), where
        assert headers["cross-origin-opener-policy"] == "same-origin", where
        assert headers["request-id"].startswith("req_"), where
        said = headers["content-security-policy"]
        if decision.path not in FRAMED:
            assert said == policy, where
        assert "unsafe" not in said and "default-src 'none'" in said and "base-uri 'none'" in said, where
        cached = decision.path.startswith(("/static", "/widget.js"))
        assert cached or "no-store" in headers["cache-control"], where
        pages += headers.get("content-type", "").startswith("text/html")
    assert pages > 60


def test_what_a_link_opens_tells_no_other_site_where_it_was(ground: Ground) -> None:
    for path in ("/w/{token}", "/ack/{code}", "/duty/{code}", "/w/embed/{token}", "/join"):
        decision = next(one for one in SAFE if one.path == path)
        assert call(ground, decision, "anonymous").headers["referrer-policy"] == "no-referrer", path


def test_cookies_are_for_the_server_alone(ground: Ground) -> None:
    start = next(one for one in DECISIONS if one.path == "/auth/otp/start")
    said = call(ground, start, "anonymous").headers["set-cookie"].lower()
    assert "httponly" in said and "samesite=lax" in said and "path=/" in said and "domain" not in said


@pytest.mark.parametrize("role", ["owner", "homepage"])
def test_pages_hold_no_script_and_no_style_of_their_own(ground: Ground, role: str) -> None:
    """The policy would block them: a page that needs one is broken, one that is given one is attacked."""
    inline = re.compile(rb"<script(?![^>]*\bsrc=)|\son[a-z]+=|<style|\sstyle=|javascript:", re.IGNORECASE)
    for decision in SAFE:
        if role in let_in(decision) and decision.path.startswith("/app"):
            found = inline.search(call(ground, decision, role).body)
            assert found is None, f"{decision.name}: {found}"
