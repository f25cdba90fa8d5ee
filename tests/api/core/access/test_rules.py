"""The integration checklist."""

from api.core.access.rules import SetupFacts, checklist


def test_each_fact_turns_its_own_step_green() -> None:
    nothing = SetupFacts(False, 0, 0, False, 0, 0, 0)
    assert [item.done for item in checklist(nothing)] == [False] * 7
    called = SetupFacts(True, 1, 0, True, 0, 0, 0)
    assert [item.key for item in checklist(called) if item.done] == ["api_key", "return_url", "first_call"]
    assert all(item.done for item in checklist(SetupFacts(True, 1, 1, True, 1, 1, 1)))
