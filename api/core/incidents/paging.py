"""When a rule that does not act calls a person instead (R1, step 5)."""

from collections.abc import Sequence

from api.core.incidents.exchange_rate import Judged, Series
from api.core.incidents.verdicts import Verdict

SILENT_MINUTES = 5
IN_A_ROW = 5
LOOK_BACK = 30
FEW_FAILURES = 3
FEW_ATTEMPTS = 10
FEW_PERCENT = 20


def page(series: Series, judged: Sequence[Judged]) -> str:
    """Why the newest minute pages, "" when it does not."""
    if not judged:
        return ""
    newest = judged[-1].verdict
    if newest is Verdict.NO_DATA:
        return _silence(judged)
    return _few_attempts(series) if newest is Verdict.INSUFFICIENT else ""


def _silence(judged: Sequence[Judged]) -> str:
    silent = 0
    for one in reversed(judged):
        if one.verdict is not Verdict.NO_DATA:
            if one.verdict is Verdict.PENDING:
                return "Telemetry fell silent while the error rate was over its limit."
            break
        silent += 1
    return f"No telemetry for {silent} minutes." if silent > SILENT_MINUTES else ""


def _few_attempts(series: Series) -> str:
    in_a_row = _failed_in_a_row(series)
    if in_a_row >= IN_A_ROW:
        return f"The last {in_a_row} exchanges all failed; they are too few for a rate."
    present = [bucket for bucket in series[-LOOK_BACK:] if bucket]
    failed, attempted = sum(bucket.failed for bucket in present), sum(bucket.attempted for bucket in present)
    enough = failed >= FEW_FAILURES and attempted >= FEW_ATTEMPTS
    if enough and 100 * failed >= FEW_PERCENT * attempted:
        return f"{failed} of {attempted} exchanges failed in {LOOK_BACK} minutes; too few for a rate."
    return ""


def _failed_in_a_row(series: Series) -> int:
    """Attempts that certainly came one after the other: of whole minutes without a success."""
    failed = 0
    for bucket in reversed(series):
        if bucket is None or bucket.failed < bucket.attempted:
            break
        failed += bucket.failed
    return failed
