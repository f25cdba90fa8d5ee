"""What a message may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.chat.rules import MAX_TEXT, clean
from api.core.errors import Refused


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  hello\r\nyou \n", "hello\nyou"),
        ("a\x00b\x1b[31mc\x7f\x85d", "ab[31mc\nd"),
        ("pay \u202e001\u202c\u2066 now\u2069", "pay 001 now"),
        ("half a pair \ud800!", "half a pair !"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("Zoë 👩‍👩‍👧 مرحبا\u200f", "Zoë 👩‍👩‍👧 مرحبا\u200f"),
        ("tab\there", "tab\there"),
        ("x" * MAX_TEXT, "x" * MAX_TEXT),
    ],
)
def test_text_is_kept_as_it_reads(typed: str, kept: str) -> None:
    assert clean(typed) == kept


@pytest.mark.parametrize(
    "typed", ["", " \n\t", "\x00", "\u200b\u200d\ufeff", "\u202e", "\u0301", "x" * (MAX_TEXT + 1)]
)
def test_nothing_and_too_much_are_refused(typed: str) -> None:
    with pytest.raises(Refused) as refusal:
        clean(typed)
    assert refusal.value.code == "text_invalid"


@given(st.text(st.characters(), max_size=300))
def test_whatever_is_kept_can_be_stored_and_is_stable(typed: str) -> None:
    try:
        kept = clean(typed)
    except Refused:
        return
    assert kept == kept.encode().decode() == clean(kept) and "\x00" not in kept
