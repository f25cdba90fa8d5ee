"""Each carrier and channel says what it needs, costs, takes and cannot do."""

import re

import pytest

from tests.api.providers.secret_stores.test_pages import PAGES

SECTIONS = re.split(r"^## ", (PAGES / "messaging.md").read_text(), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda text: text.partition("\n")[0])
def test_each_says_what_it_needs_costs_takes_and_cannot_do(section: str) -> None:
    for told in (
        "**The least that is needed:**",
        "**What it costs, how long it takes:**",
        "**Not possible:**",
    ):
        assert told in section, told


def test_all_of_them_are_there() -> None:
    assert {"Textbelt", "SendGrid", "Slack and Discord"} == {one.partition("\n")[0] for one in SECTIONS}
