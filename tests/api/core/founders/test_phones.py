"""Numbers that a code is sent to, and numbers that would earn somebody money."""

import pytest

from api.core.founders.phones import takes_sms


@pytest.mark.parametrize("number", ["+491701234567", "+33612345678", "+12025550123", "+447400123456"])
def test_mobile_phones_are_reached(number: str) -> None:
    assert takes_sms(number)


@pytest.mark.parametrize(
    "number",
    [
        "+19005551234",  # premium rate
        "+979123456789",  # international premium rate
        "+18005551234",  # toll-free
        "+4930123456",  # a fixed line
        "+870772001234",  # a satellite
        "+88213123456",  # a network of no country
        "+447012345678",  # a personal number
        "+15550100001",  # no such area: fiction
        "+447700900999",  # kept for fiction
        "+9991234567",  # no such country
        "+4911",  # too short
        "",
    ],
)
def test_others_are_not(number: str) -> None:
    assert not takes_sms(number)
