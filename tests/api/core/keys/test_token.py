"""The shape of API keys: a slip in any character is noticed without asking the database."""

from hypothesis import given
from hypothesis import strategies as st

from api.core.keys import token


def test_what_was_generated_is_parsed_back() -> None:
    fresh = token.generate()
    assert fresh.plaintext.startswith("fu_live_")
    assert token.parse(fresh.plaintext) == fresh


@given(place=st.integers(8, 71), letter=st.sampled_from("0123456789abcdefghjkmnpqrstvwxyz"))
def test_any_changed_character_is_noticed(place: int, letter: str) -> None:
    plain = token.Token("k" * 16, "s" * 40).plaintext
    changed = plain[:place] + letter + plain[place + 1 :]
    assert (token.parse(changed) is None) == (changed != plain)


@given(st.text(max_size=90))
def test_no_text_breaks_it(text: str) -> None:
    assert token.parse(text) is None
    assert token.parse("fu_live_" + text) is None
