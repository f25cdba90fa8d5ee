"""Checks and results to judge."""

from datetime import UTC, datetime, timedelta

from api.core.preflight.records import Check, Finding, Result, State, Waiver

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def check(name: str, *after: str, waivable: bool = True, attempts: int = 1, timeout_s: float = 5) -> Check:
    return Check(
        name,
        1,
        name.title(),
        "it holds",
        f"mend {name}",
        "preflight-service",
        after=after,
        waivable=waivable,
        attempts=attempts,
        timeout_s=timeout_s,
        wait_s=0,
    )


def result(name: str, state: State, expires_at: datetime = NOW + HOUR) -> Result:
    return Result(
        name=name,
        group=1,
        title=name.title(),
        state=state,
        expected="it holds",
        observed=f"{state.value} was seen",
        observed_at=NOW - HOUR,
        expires_at=expires_at,
        fix="" if state is State.PASS else f"mend {name}",
    )


def waiver(name: str, approver: str | None = "Bob", until: datetime = NOW + HOUR) -> Waiver:
    return Waiver("wvr_1", name, "known and small", "Ann", approver, NOW - HOUR, until)


def good() -> Finding:
    return Finding(State.PASS, "all well")


def bad() -> Finding:
    return Finding(State.FAIL, "not well")
