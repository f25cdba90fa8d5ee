"""Secrets: what a machine made up is accepted, what a person left in place is not."""

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.settings.strength import MIN_LENGTH, weakness


@pytest.mark.parametrize("size", [16, 24, 32, 48])
def test_random_ones_are_accepted_in_every_common_spelling(size: int) -> None:
    for _ in range(200):
        random = secrets.token_bytes(size)
        for spelling in (random.hex(), base64.b64encode(random).decode(), secrets.token_urlsafe(size)):
            if len(spelling) >= MIN_LENGTH:
                assert weakness(spelling) == "", spelling


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\n"), max_size=MIN_LENGTH - 1))
def test_short_ones_are_not(text: str) -> None:
    assert "fewer than 32" in weakness(text)


@given(st.text(min_size=1, max_size=10), st.integers(min_value=32, max_value=80))
def test_nor_is_one_word_again_and_again(word: str, length: int) -> None:
    assert weakness((word * 80)[:length])


@pytest.mark.parametrize(
    "sample",
    [
        "changeme-changeme-changeme-changeme",
        "REPLACE_WITH_A_LONG_RANDOM_STRING_1",
        "my-super-secret-session-key-2026-xy",
        "<put 32 random characters in here!>",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "0123456789012345678901234567890123456789",
        "a" * 64,
    ],
)
def test_nor_what_people_leave_in_place(sample: str) -> None:
    assert weakness(sample)
