"""The Integrate page without scripts: plain forms, refusals next to them, keys shown once."""

import html
import re
import secrets
import shlex
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from starlette.testclient import TestClient

from api import rotating
from api.core.rotation.kinds import SWITCHED
from api.http.pages import snippets
from api.settings import Settings
from tests.api.http.conftest import Visit
from tests.product import BASE_URL, SLUG
from tests.receiver import Answer, receiving

PAGE = "/app/integrate"


@pytest.fixture(autouse=True, scope="module")
def _tidy(seeded: Settings) -> Iterator[None]:
    """Other tests count on one integration in the space."""
    yield
    with psycopg.connect(seeded.platform.database_url.get_secret_value()) as connection:
        for table in ("waitlist_starts", "entries"):
            connection.execute(
                f"delete from {table} where integration_id in"  # noqa: S608  two names from above
                " (select id from integrations where name = any(array['Mobile', 'Tablet']))"
            )
        connection.execute("delete from integrations where name = any(array['Mobile', 'Tablet'])")


def shown_once(page: str, what: str) -> str:
    found = re.search(rf'<code id="{what}">(.*?)</code>', page)
    return html.unescape(found.group(1)) if found else ""


@pytest.fixture
def made(founder: TestClient) -> tuple[str, str]:
    """An integration of one's own: its page and its key."""
    answer = founder.post(f"{PAGE}/new?space={SLUG}", data={"name": "Mobile", "token": secrets.token_hex()})
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    return answer.headers["hx-push-url"], shown_once(answer.text, "new-key")


def test_a_key_is_shown_once_and_works(founder: TestClient, visit: Visit, made: tuple[str, str]) -> None:
    path, first = made
    rotated = founder.post(f"{path}/keys/rotate", data={"grace": "3600", "token": secrets.token_hex()})
    second = shown_once(rotated.text, "new-key")
    assert second not in founder.get(path).text and second in shown_once(rotated.text, "try-key")
    for key in (first, second):
        bearer = {"Authorization": f"Bearer {key}"}
        assert visit().get("/api/integration/v1/me", headers=bearer).status_code == 200
    refused = founder.post(f"{path}/keys/rotate", data={"grace": "3600", "token": secrets.token_hex()})
    assert refused.status_code == 409 and "A rotation is under way" in refused.text
    assert shown_once(refused.text, "new-key") == ""
    ending = re.search(rf'action="({path}/keys/[a-z0-9]+/revoke)"', refused.text)
    assert ending and founder.post(ending.group(1)).headers["location"] == path
    assert "revoked" in founder.get(path).text


def test_the_line_that_checks_a_key_does(founder: TestClient, visit: Visit, made: tuple[str, str]) -> None:
    path, _ = made
    founder.post(f"{path}/return_urls/add", data={"address": "https://app.example.com/it's"})
    page = founder.post(f"{path}/keys/rotate", data={"token": "t"}).text
    curl = shlex.split(shown_once(page, "try-key"))
    url = next(word for word in curl if word.startswith("http"))
    given = [word.split(": ", 1) for word in curl if ": " in word and not word.startswith("{")]
    assert curl[:3] == ["curl", "-sS", "-X"] and url.startswith(BASE_URL)
    answer = visit().post(url.removeprefix(BASE_URL), headers=dict(given), content=curl[-1])
    assert answer.status_code == 200 and answer.json()["redirect_url"]  # the rotation has tried it before
    assert "POST /api/integration/v1/waitlist/start with the new key: 201" in page


def test_a_double_click_rotates_once_and_shows_the_same_key(
    founder: TestClient, made: tuple[str, str]
) -> None:
    path, _ = made
    clicks = [founder.post(f"{path}/keys/rotate", data={"token": "clicked"}) for _ in range(2)]
    assert shown_once(clicks[0].text, "new-key") == shown_once(clicks[1].text, "new-key") != ""
    assert clicks[1].text.count(" current</span>") == 1


def test_a_secret_is_created_and_rotated(founder: TestClient, made: tuple[str, str]) -> None:
    path, _ = made
    created = founder.post(f"{path}/secrets/rotate", data={"token": secrets.token_hex()})
    secret = shown_once(created.text, "new-secret")
    assert secret.startswith("whsec_") and secret not in founder.get(path).text
    assert (
        founder.post(f"{path}/secrets/rotate", data={"grace": "7", "token": secrets.token_hex()}).status_code
        == 422
    )
    assert (
        founder.post(f"{path}/secrets/rotate", data={"grace": "0", "token": secrets.token_hex()}).status_code
        == 200
    )
    rotated = founder.post(f"{path}/secrets/rotate", data={"grace": "86400", "token": secrets.token_hex()})
    ending = re.search(rf'action="({path}/secrets/[a-z0-9_]+/revoke)"', rotated.text)
    assert ending and founder.post(ending.group(1)).headers["location"] == path
    assert f'action="{ending.group(1)}"' not in founder.get(path).text


def test_whether_the_receiver_has_the_new_secret_is_tried_at_any_time(
    founder: TestClient, made: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = made
    api = f"/api/founder/v1/integrations/{path.rpartition('/')[2]}/secrets/try"
    monkeypatch.setattr(rotating, "TRY_AGAIN", timedelta())
    founder.post(f"{path}/secrets/rotate", data={"token": secrets.token_hex()})
    assert 'id="switching"' not in founder.get(path).text
    assert founder.post(f"{path}/secrets/try").status_code == 409
    assert founder.post(api).json()["code"] == "no_overlap"
    with receiving() as receiver:
        founder.post(f"{path}/webhook", data={"address": receiver.url})
        founder.post(f"{path}/secrets/rotate", data={"token": secrets.token_hex()})
        assert "Find out before the old one ends" in founder.get(path).text
        for status, said in ((401, "Not yet"), (204, "Yes"), (500, "Not yet")):
            receiver.answer = Answer(status)
            assert founder.post(f"{path}/secrets/try").headers["location"] == path
            assert f"{said}: a test webhook signed with the new secret alone" in founder.get(path).text
            last = receiver.received[-1]
            assert len(last.headers["webhook-signature"].split()) == 1
        receiver.answer = Answer(200)
        proofs = founder.post(api).json()["proofs"]
        assert [proof["ok"] for proof in proofs if proof["name"] == SWITCHED] == [True]
        monkeypatch.setattr(rotating, "TRY_AGAIN", timedelta(hours=1))
        assert founder.post(api).json()["code"] == "tried_just_now"
        assert "It was tried just now" in founder.post(f"{path}/secrets/try").text


@pytest.mark.parametrize(
    ("form", "address", "kept", "wrong"),
    [
        (
            "return_urls",
            "https://app.example.com/in",
            "https://app.example.com/in",
            "http://app.example.com/",
        ),
        ("origins", "https://App.example.com/", "https://app.example.com", "https://app.example.com/in"),
    ],
)
def test_addresses_are_added_and_removed(
    founder: TestClient, made: tuple[str, str], form: str, address: str, kept: str, wrong: str
) -> None:
    path, _ = made
    assert founder.post(f"{path}/{form}/add", data={"address": address}).headers["location"] == path
    assert f"<code>{kept}</code>" in founder.get(path).text
    refused = founder.post(f"{path}/{form}/add", data={"address": wrong})
    assert refused.status_code == 422 and f'value="{wrong}"' in refused.text
    assert f'aria-describedby="{form}-problem"' in refused.text and f'id="{form}-problem"' in refused.text
    founder.post(f"{path}/{form}/remove", data={"address": kept})
    assert f"<code>{kept}</code>" not in founder.get(path).text


def test_names_and_webhook_addresses(founder: TestClient, made: tuple[str, str]) -> None:
    path, _ = made
    founder.post(f"{path}/name", data={"name": "Tablet"})
    founder.post(f"{path}/webhook", data={"address": "https://app.example.com/hooks"})
    page = founder.get(path).text
    assert "<h2>Tablet</h2>" in page and 'value="https://app.example.com/hooks"' in page
    assert founder.post(f"{path}/webhook", data={"address": "ftp://x"}).status_code == 422
    assert founder.post(f"{path}/name", data={"name": " "}).status_code == 422
    assert founder.post(f"{PAGE}/new?space={SLUG}", data={"name": "\u200b", "token": "t"}).status_code == 422
    assert founder.post(f"{path}/webhook", data={"address": ""}).headers["location"] == path


def test_the_checklist_turns_green_on_the_first_call(
    founder: TestClient, visit: Visit, made: tuple[str, str]
) -> None:
    path, key = made
    assert 'First authenticated call</strong><span class="visually-hidden"> (to do)' in (
        founder.get(f"{path}/checklist").text
    )
    visit().get("/api/integration/v1/me", headers={"Authorization": f"Bearer {key}"})
    assert 'First authenticated call</strong><span class="visually-hidden"> (done)' in (
        founder.get(f"{path}/checklist").text
    )


def test_snippets_hold_the_partners_own_addresses(founder: TestClient) -> None:
    page = html.unescape(founder.get(PAGE).text)
    assert page.count("https://app.northwind.example/welcome") > 4
    assert all(
        f'id="{key}-{language}"' in page
        for key in ("exchange", "webhook")
        for language, *_ in snippets.LANGUAGES
    )
