"""Places in line, and the integration checklist."""

from api.core.access import rules
from api.core.access.rules import SetupFacts, checklist


def test_each_fact_turns_its_own_step_green() -> None:
    nothing = SetupFacts(False, 0, 0, ())
    assert [item.done for item in checklist(nothing)] == [False] * 9
    called = SetupFacts(True, 1, 0, ["first_call", "heartbeat"])
    assert [item.key for item in checklist(called) if item.done] == [
        "api_key",
        "return_url",
        "first_call",
        "heartbeat",
    ]
    keys = [item.key for item in checklist(nothing)]
    assert all(item.done for item in checklist(SetupFacts(True, 1, 1, keys)))


def test_referrals_move_up_to_a_cap() -> None:
    assert [rules.rank(700, number) for number in (0, 1, 50, 51)] == [700, 690, 200, 200]
