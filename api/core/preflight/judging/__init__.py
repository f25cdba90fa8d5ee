"""Facts → finding, as pure functions: one file for each of the runbook's numbered checks.

Who gathers the facts lives in `api.providers` and the doors. A fact that could not be had is a finding, too.
"""

from collections.abc import Sequence

from api.core.preflight.records import Finding, State


def verdict(wrong: Sequence[str], good: str) -> Finding:
    """Fails with everything that is wrong, not only the first of it."""
    return Finding(State.FAIL, "; ".join(wrong)) if wrong else Finding(State.PASS, good)
