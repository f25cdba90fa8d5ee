"""The verdict of a preflight: a pure function of its results, its waivers and `now`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from api.core.preflight.records import Check, Decision, Result, State, Verdict, Waiver


def decide(
    checks: Sequence[Check], results: Sequence[Result], waivers: Sequence[Waiver], now: datetime
) -> Decision:
    """GO only when every check of `checks` has a result that passes, warns, or is waived by two people.

    No checks at all, a check without a result, a result that is too old: NO-GO. A failed parent that is
    waived leaves its dependents skipped: nobody has looked at them."""
    found = {result.name: result for result in results}
    judged = [_judged(check, found.get(check.name), waivers, now) for check in checks]
    against = [result for result in judged if not result.holds]
    if against or not judged:
        return Decision(
            Verdict.NO_GO,
            _no_go(against, len(judged)),
            [reason(result) for result in against] or ["no check was carried out"],
            _first_step(against),
            None,
            judged,
        )
    but = [result for result in judged if result.state is not State.PASS]
    waived = [waiver for waiver in waivers if waiver.holds(now) and waiver.check in _waived(judged)]
    expires_at = min([r.expires_at for r in judged] + [waiver.expires_at for waiver in waived])
    return Decision(
        Verdict.WARNINGS if but else Verdict.GO,
        _go(judged, waived),
        [reason(result) for result in but],
        f"Have the release owner sign it off; it holds until {_moment(expires_at)}.",
        expires_at,
        judged,
    )


def reason(result: Result) -> str:
    """A sentence: which check, what was expected, what was observed."""
    if result.state is State.SKIP:
        return f"{result.name}: not looked at, because {result.blocked_by} does not hold"
    if result.state is State.WAIVED:
        return f"{result.name}: waived ({result.waived_by}); observed: {result.observed}"
    return f"{result.name} ({result.state.value}): expected {result.expected}; observed: {result.observed}"


def _judged(check: Check, result: Result | None, waivers: Sequence[Waiver], now: datetime) -> Result:
    if result is None:
        return Result(
            name=check.name,
            group=check.group,
            title=check.title,
            state=State.ERROR,
            expected=check.expected,
            observed="nothing looked at it",
            observed_at=now,
            expires_at=now,
            owner=check.owner.value,
            fix="Run the preflight with all of its checks.",
            runbook=check.runbook,
        )
    if result.holds and result.expires_at <= now:
        result = replace(result, state=State.STALE, fix=result.fix or "Run the preflight again.")
    if result.state is State.WAIVED or (not result.holds and check.waivable):
        waiver = next((one for one in waivers if one.check == check.name and one.holds(now)), None)
        if waiver:
            said = f"{waiver.reason}; asked for by {waiver.requester}, approved by {waiver.approver}"
            until = max(result.expires_at, waiver.expires_at)  # the waiver's own end counts by itself
            return replace(result, state=State.WAIVED, waived_by=said, expires_at=until)
    return result


def _waived(judged: Sequence[Result]) -> set[str]:
    return {result.name for result in judged if result.state is State.WAIVED}


def _no_go(against: Sequence[Result], of: int) -> str:
    if not of:
        return "NO-GO: no check was carried out"
    named = ", ".join(result.name for result in against[:5])
    more = f" and {len(against) - 5} more" if len(against) > 5 else ""
    return f"NO-GO: {len(against)} of {of} checks do not hold: {named}{more}"


def _go(judged: Sequence[Result], waived: Sequence[Waiver]) -> str:
    warnings = [result.name for result in judged if result.state is State.WARN]
    said = [f"{len(warnings)} warnings ({', '.join(warnings)})"] if warnings else []
    said += [
        f"{waiver.check} waived until {_moment(waiver.expires_at)} by {waiver.approver}: {waiver.reason}"
        for waiver in waived
    ]
    return f"GO: all {len(judged)} checks hold" + (f", with {'; '.join(said)}" if said else "")


def _first_step(against: Sequence[Result]) -> str:
    """Of what somebody can mend: a skipped check waits for the one that blocks it."""
    own = [result for result in against if result.state is not State.SKIP]
    return own[0].fix if own else "Run the preflight with all of its checks."


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
