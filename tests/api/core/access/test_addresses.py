"""Addresses that partners register: what a browser could be sent to, and nothing that says two things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.access import addresses
from api.core.errors import Refused

BAD = [
    "",
    "app.example.com",
    "http://app.example.com/in",
    "https://app.example.com/#in",
    "https://app.example.com#",
    "https://anna:pw@app.example.com/",
    "https://app.example.com\\@evil.example/",
    "https://app.exam ple.com/",
    "https://app.example.com:99999/",
    "https://app.example.com:x/",
    "https://*.example.com",
    "https://ex'; frame-ancestors *",
    "https://münchen.example",
    "https://[::1/",
    "javascript:alert(1)",
    "//app.example.com/",
    "https:///in",
    "https://app.example.com/\nx",
    "https://" + "a" * 300 + ".example",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_address_is_refused(text: str) -> None:
    for check, code in (
        (addresses.return_url, "return_url_invalid"),
        (addresses.origin, "origin_invalid"),
        (addresses.webhook_url, "webhook_url_invalid"),
    ):
        with pytest.raises(Refused) as refused:
            check(text)
        assert refused.value.code == code and refused.value.fix


@pytest.mark.parametrize(
    "url",
    ["https://app.example.com/in?x=1", "http://localhost:3000/in", "http://127.0.0.1/", "http://[::1]:80/"],
)
def test_a_return_url_is_kept_as_it_was_written(url: str) -> None:
    assert addresses.return_url(f" {url} ") == url


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://App.Example.com", "https://app.example.com"),
        ("https://app.example.com:443/", "https://app.example.com"),
        ("HTTP://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_kept_as_a_browser_writes_it(written: str, kept: str) -> None:
    assert addresses.origin(written) == kept
    assert addresses.origin(kept) == kept


@pytest.mark.parametrize("text", ["https://app.example.com/in", "https://app.example.com?x", "https://a.b/?"])
def test_an_origin_has_no_path(text: str) -> None:
    with pytest.raises(Refused):
        addresses.origin(text)


@given(st.text() | st.text().map(lambda rest: "https://" + rest))
def test_no_text_breaks_it_and_an_origin_is_safe_in_a_header(text: str) -> None:
    try:
        kept = addresses.origin(text)
    except Refused:
        return
    assert kept.isascii() and not set(kept) & set(" ;,'\"*\\@#?")
