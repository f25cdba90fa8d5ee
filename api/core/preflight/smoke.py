"""5: the steps of the smoke test and the port to the synthetic tenant. The partner itself is a provider.

The steps are checks of their own kind: those that are independent run at once, what builds on a failed one is
skipped by its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.core.clock import Clock
from api.core.preflight.records import Check, Finding, Part, Result, State
from api.core.preflight.runner import Look, Runner

GROUP, RUNBOOK = 5, "preflight-smoke"
STEP_TIMEOUT_S = 45.0


def _step(name: str, title: str, expected: str, fix: str, *after: str) -> Check:
    return Check(name, GROUP, title, expected, fix, RUNBOOK, after=after, timeout_s=STEP_TIMEOUT_S)


STEPS: Sequence[Check] = (
    _step(
        "tenant",
        "Synthetic tenant",
        "its space, key, secret and addresses are set up; a wrong key is refused",
        "The database did not take the synthetic tenant, or the API does not know its key.",
    ),
    _step(
        "redirect",
        "Redirect waitlist",
        "a visitor waits, is accepted and comes back with code and state; other addresses are refused",
        "Look at waitlist/start and the visitor's page; onboarding must not be paused.",
        "tenant",
    ),
    _step(
        "embedded",
        "Embedded waitlist",
        "the frame hands status and code to its origin, and cannot be framed by another",
        "Look at the frame page's Content-Security-Policy and its script.",
        "tenant",
    ),
    _step(
        "exchange",
        "Access exchange",
        "the code becomes a grant with PKCE; a wrong verifier and a replayed code are refused",
        "Look at access/exchange in the API's log: clocks, PKCE, code lifetime.",
        "redirect",
        "embedded",
    ),
    _step(
        "heartbeat",
        "Heartbeat",
        "the user is among the live users, then has left; a stranger is rejected",
        "Look at heartbeat and users/live; the grant must be there.",
        "exchange",
    ),
    _step(
        "widget",
        "Widget token and chat",
        "token, frame and chat load, a message each way; foreign origins and changed tokens are refused",
        "Compare INTEGRATION_WIDGET_SIGNING_SECRET of all API processes; look at the registered origins.",
        "exchange",
    ),
    _step(
        "webhook",
        "Webhook signature",
        "a test event and a real one arrive signed; changed, old and foreign ones do not verify",
        "Look at the dispatcher and at the way from production to the receiver.",
        "tenant",
    ),
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the partner is given. Never in a result."""

    integration_id: str
    api_key: str
    webhook_secret: str


class Tenant(Protocol):
    """The founder's side of the synthetic tenant. It has one name: what a killed run left is found by it."""

    def prepare(self, origin: str, return_url: str, webhook_url: str | None) -> Credentials:
        """Everything that an earlier run left is gone first."""
        ...

    def accept(self, entry_id: str) -> None: ...

    def reply(self, entry_id: str, text: str) -> None:
        """The founder says something in the entry's conversation."""
        ...

    def clear(self) -> None:
        """Nobody is on its list, nothing is registered, no key works. Idempotent."""
        ...


def finding(looks: Mapping[str, Look], clock: Clock) -> Finding:
    """Carry out the steps and sum them up."""
    runner = Runner(looks, clock, lambda _check, _result: None)
    return summed(runner.run(STEPS))


def summed(results: Sequence[Result]) -> Finding:
    parts = [
        Part(
            one.name,
            one.state,
            one.expected,
            one.observed,
            one.fix,
            one.seconds,
            one.blocked_by,
        )
        for one in results
    ]
    against = [one for one in results if not one.holds]
    own = [one for one in against if one.state is not State.SKIP]
    if own:
        said = "; ".join(f"{one.name}: {one.observed}" for one in own)
        skipped = len(against) - len(own)
        more = f"; {skipped} steps behind it not looked at" if skipped else ""
        return Finding(State.FAIL, said + more, fix=own[0].fix, parts=parts)
    warnings = [one for one in results if one.state is State.WARN]
    state = State.WARN if warnings else State.PASS
    said = "; ".join(f"{one.name}: {one.observed}" for one in warnings)
    hold = f"{len(results)} steps hold: {', '.join(one.name for one in results)}"
    return Finding(state, said or hold, parts=parts)
