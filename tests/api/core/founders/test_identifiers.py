"""Phones and e-mails in one form."""

import pytest

from api.core.errors import Refused
from api.core.founders import identifiers


@pytest.mark.parametrize(
    "typed", ["+1 (555) 010-0001", "001 555 010 0001", "+15550100001", "+1.555.010.0001"]
)
def test_one_phone_however_it_is_typed(typed: str) -> None:
    assert identifiers.parse(typed).value == "+15550100001"


def test_an_email_is_compared_in_lower_case() -> None:
    assert identifiers.parse("  Anna@Example.COM ").value == "anna@example.com"


@pytest.mark.parametrize(
    "typed", ["", "5550100001", "+0123456789", "anna@", "@x.de", "+1 555 O10 0001", "+" + "1" * 20]
)
def test_what_is_neither_says_how_to_write_it(typed: str) -> None:
    with pytest.raises(Refused) as refused:
        identifiers.parse(typed)
    assert "Write it" in refused.value.fix


def test_masked_shows_too_little_to_use() -> None:
    assert identifiers.masked("+15550100001") == "+15••••0001"
    assert identifiers.masked("anna@example.com") == "a•••@example.com"
