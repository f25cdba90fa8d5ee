"""The watcher's decisions: whatever is seen, whenever it is killed, pages and ends take turns."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from api.core.alerts import probing
from api.core.alerts.messages import AlertMessage
from api.core.alerts.probing import Place, Seen, Watch
from api.core.alerts.reports import Silenced
from tests.product import NOW

MEMORY = TypeAdapter(Watch)
PLACE = Place("production", timedelta(seconds=10))
CHANNELS = {"primary": "a", "fallback": "b"}
BAD = Seen("database_unavailable", "it fails")

step = st.tuples(
    st.sampled_from(["up", "down", "silent", "leaving"]),
    st.integers(1, 400) | st.integers(1, 4000),  # seconds until the next look
    st.sampled_from(["sent", "sent", "away", "away", "dead", "killed before", "killed after"]),
)


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(step, max_size=30))
def test_pages_and_ends_take_turns(steps: list[tuple[str, int, str]]) -> None:
    looks = {
        "up": Seen(""),
        "down": BAD,
        "silent": probing.silent("ConnectError"),
        "leaving": Seen("", says_nothing=True),
    }
    watch, now, accepted, kills, unsure = Watch(), NOW, list[AlertMessage](), 0, False
    quiet = [("up", 4000, "sent")] * 8
    for what, seconds, sending in [*steps, *quiet]:
        now += timedelta(seconds=seconds)
        watch = probing.observe(watch, looks[what], PLACE, now)
        found = probing.next_to_send(watch, CHANNELS, now)
        if found is not None:
            head, channel = found
            watch = probing.trying(watch, channel, now)
            if sending in ("sent", "killed after"):
                accepted.append(head.message)
            if sending.startswith("killed"):  # all that is left is what was written before it was sent
                kills += sending == "killed after"
                unsure |= sending == "killed before"
                watch = MEMORY.validate_json(MEMORY.dump_json(watch))
            elif sending == "sent":
                watch = probing.told(watch, channel, "r", now)
            else:
                watch = probing.failed(watch, channel, CHANNELS, now, 0.5, retryable=sending == "away")
        assert MEMORY.validate_json(MEMORY.dump_json(watch)) == watch
    once = list({message.id: message for message in accepted}.values())
    assert len(accepted) - len(once) <= kills
    began: AlertMessage | None = None
    for message in once:
        if message.kind == "resolved":
            assert began is None or began.key == message.key
            assert began is not None or unsure, "the end of what nobody was told of"
            began = None
        elif message.kind == "firing":
            assert began is None or unsure or kills, "a second page before the end of the first"
            began = message
        else:
            assert began is not None or unsure
    assert began is None, "whoever got a page hears its end"
    assert watch.spool == () and watch.episode is None


def test_a_silence_holds_a_page_back_and_no_end() -> None:
    until = NOW + timedelta(hours=1)
    heard = (Silenced("database_unavailable", "", "", until), Silenced("burst_5xx", "", "", until))
    watch, now = probing.on_record(Watch(), (), heard), NOW
    for _ in range(4):
        now += timedelta(seconds=10)
        watch = probing.observe(watch, BAD, PLACE, now)
    assert probing.next_to_send(watch, CHANNELS, now) is None
    other = probing.on_record(watch, (), heard[1:])
    assert probing.next_to_send(other, CHANNELS, now)
    assert probing.next_to_send(watch, CHANNELS, until)  # a silence that nobody renews ends by itself
    for _ in range(2):
        now += timedelta(seconds=10)
        watch = probing.observe(watch, Seen(""), PLACE, now)
    assert watch.spool == ()  # over before anybody was told
    (past,) = watch.ended
    assert (past.rule, past.notified_at) == ("database_unavailable", None)


@pytest.mark.parametrize(
    ("status", "body", "rule"),
    [
        (200, {"status": "ok"}, ""),
        (503, {"checks": {"database": {"status": "failing"}}}, "database_unavailable"),
        (503, {"checks": {"migrations": {"status": "failing", "detail": "run them"}}}, "api_not_ready"),
        (500, None, "api_not_ready"),
        (502, "<html>", "api_not_ready"),
        (302, {}, "api_not_ready"),
    ],
)
def test_what_readyz_says_is_read(status: int, body: object, rule: str) -> None:
    assert probing.judge(status, body).rule == rule
