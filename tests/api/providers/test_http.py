"""When a call is made again: never twice what must be done once, never longer than there is patience."""

import json
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.errors import Rejected, TimedOut, Unavailable
from api.providers.http import VendorHttp

Answers = list[httpx.Response | Exception]


def client(answers: Answers, slept: list[float], patience_s: float = 30) -> VendorHttp:
    def handle(_: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return VendorHttp(
        "fake", "http://x", transport=httpx.MockTransport(handle), patience_s=patience_s, sleep=slept.append
    )


def busy(**headers: str) -> httpx.Response:
    return httpx.Response(429, headers={name.replace("_", "-"): value for name, value in headers.items()})


UNKNOWN: list[Callable[[], httpx.Response | Exception]] = [
    lambda: httpx.Response(500),
    lambda: httpx.ReadTimeout("no answer"),
    lambda: httpx.RemoteProtocolError("half an answer"),
]


@pytest.mark.parametrize("unknown", UNKNOWN)
@pytest.mark.parametrize(
    ("method", "repeatable", "again"),
    [
        ("GET", None, True),
        ("PUT", None, True),
        ("POST", None, False),
        ("POST", True, True),
        ("PUT", False, False),
    ],
)
def test_after_an_unknown_outcome_only_what_may_be_done_twice_is_done_again(
    unknown: Callable[[], httpx.Response | Exception], method: str, repeatable: bool | None, again: bool
) -> None:
    answers: Answers = [unknown(), httpx.Response(200)]
    http = client(answers, [])
    if again:
        assert http.call("x", method, "/", repeatable=repeatable).status_code == 200
    else:
        with pytest.raises(TimedOut):
            http.call("x", method, "/", repeatable=repeatable)
        assert len(answers) == 1


def test_what_was_not_done_is_done_again_whatever_it_is() -> None:
    slept: list[float] = []
    answers: Answers = [busy(Retry_After="4"), httpx.Response(503), httpx.Response(200)]
    assert client(answers, slept).call("x", "POST", "/").status_code == 200
    assert slept[0] == 4 and 0 < slept[1] <= 1


def test_patience_ends() -> None:
    slept: list[float] = []
    with pytest.raises(Unavailable):
        client([busy() for _ in range(100)], slept).call("x", "GET", "/")
    assert 15 < sum(slept) <= 30
    assert max(slept) <= 8
    with pytest.raises(Unavailable) as error:
        client([busy(Retry_After="31")], slept).call("x", "GET", "/")
    assert error.value.wait_s == 31
    with pytest.raises(Unavailable):
        client([busy(Retry_After="0") for _ in range(1000)], []).call("x", "GET", "/")


def test_without_patience_nothing_is_tried_again() -> None:
    answers: Answers = [busy(Retry_After="0"), httpx.Response(200)]
    with pytest.raises(Unavailable):
        client(answers, [], patience_s=0).call("x", "GET", "/")


def test_a_refusal_is_final_and_tells_its_status() -> None:
    answers: Answers = [httpx.Response(404, text="no"), httpx.Response(200)]
    with pytest.raises(Rejected) as error:
        client(answers, []).call("x", "GET", "/")
    assert error.value.status == 404


SECRET_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Z"]), min_size=6, max_size=60
)


@given(secret=SECRET_TEXT, value=SECRET_TEXT, form=st.sampled_from(["plain", "json", "ascii", "quoted"]))
def test_no_form_of_a_secret_shows_in_an_error(secret: str, value: str, form: str) -> None:
    """Not as it was sent, not as a vendor's JSON or address quotes it."""
    forms: dict[str, Callable[[str], str]] = {
        "plain": str,
        "json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        "ascii": lambda text: json.dumps(text)[1:-1],
        "quoted": lambda text: quote(text, safe=""),
    }
    shown = [forms[form](text) for text in (secret, value)]
    said = httpx.Response(400, text=f"<< {shown[0]} >> and << {shown[1]} >> are wrong")
    http = VendorHttp("fake", "http://x", secrets=[secret], transport=httpx.MockTransport(lambda _: said))
    with pytest.raises(Rejected) as error:
        http.call("x", "PUT", "/", hide=[value])
    for text in shown:
        assert f"<< {text}" not in str(error.value)
    assert error.value.__cause__ is None, "what httpx says may quote the address"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("http://x/plat_secret"), Unavailable),
        (httpx.ReadTimeout("http://x/plat_secret"), TimedOut),
        (httpx.RemoteProtocolError("plat_secret"), TimedOut),
    ],
)
def test_what_the_client_says_is_not_repeated(failure: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as error:
        client([failure, failure], [], patience_s=0).call("x", "POST", "/")
    assert "plat_secret" not in f"{error.value} {error.value!r}"


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_no_answer_and_takes_no_token_elsewhere(status: int) -> None:
    away = httpx.Response(status, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(Rejected):
        client([away], []).call("x", "GET", "/")
