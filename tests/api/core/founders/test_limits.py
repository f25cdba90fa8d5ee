"""The limits of login codes: exact, never looser when more has happened, kept by any sequence of requests."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.founders.limits import CODES_WINDOW, DAY, Counted, Limits, refusal
from tests.product import NOW

Channel = Literal["sms", "email"]
channels = st.sampled_from(["sms", "email"])
counts = st.builds(Counted, *[st.integers(0, 40)] * 4)
limits = st.builds(Limits, *[st.integers(0, 30)] * 4)


@pytest.mark.parametrize(
    ("counted", "reason"),
    [
        (Counted(), None),
        (Counted(codes=4, codes_of_network=19, sms=99, wrong_tries=29), None),
        (Counted(codes=5), "identifier"),
        (Counted(codes_of_network=20), "network"),
        (Counted(sms=100), "budget"),
        (Counted(wrong_tries=30), "guessed"),
    ],
)
def test_each_limit_at_its_number(counted: Counted, reason: str | None) -> None:
    assert refusal("sms", counted, Limits()) == reason
    assert refusal("email", counted, Limits()) == (None if reason == "budget" else reason)


@given(channels, counts, limits, st.sampled_from(list(asdict(Counted()))), st.integers(1, 20))
def test_whatever_more_has_happened_a_refusal_stays_one(
    channel: Channel, counted: Counted, allowed: Limits, field: str, more: int
) -> None:
    grown = replace(counted, **{field: getattr(counted, field) + more})
    if refusal(channel, counted, allowed) is not None:
        assert refusal(channel, grown, allowed) is not None


@dataclass(frozen=True, slots=True)
class Request:
    at: datetime
    person: int
    network: int
    channel: Channel


requests = st.lists(
    st.builds(
        Request,
        st.integers(0, 60 * 48).map(lambda minute: NOW + timedelta(minutes=minute)),
        st.integers(0, 3),
        st.integers(0, 2),
        channels,
    ),
    max_size=120,
).map(lambda asked: sorted(asked, key=lambda one: one.at))


@given(requests, st.builds(Limits, *[st.integers(0, 6)] * 3))
def test_any_sequence_of_requests_keeps_the_limits_in_every_window(
    asked: Sequence[Request], allowed: Limits
) -> None:
    sent: list[Request] = []
    for number, one in enumerate(asked):
        earlier = [other for other in asked[:number] if one.at - other.at < CODES_WINDOW]
        counted = Counted(
            codes=sum(other.person == one.person for other in earlier),
            codes_of_network=sum(other.network == one.network for other in earlier),
            sms=sum(other.channel == "sms" and one.at - other.at < DAY for other in sent),
        )
        if refusal(one.channel, counted, allowed) is None:
            sent.append(one)
    for one in sent:
        hour = [other for other in sent if timedelta() <= one.at - other.at < CODES_WINDOW]
        assert sum(other.person == one.person for other in hour) <= allowed.codes
        assert sum(other.network == one.network for other in hour) <= allowed.codes_of_network
        day = [other for other in sent if timedelta() <= one.at - other.at < DAY]
        assert sum(other.channel == "sms" for other in day) <= allowed.sms
