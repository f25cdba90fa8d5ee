"""Whether a GO still stands: a pure function. A GO is perishable, and void once anything under it moves."""

from dataclasses import dataclass
from datetime import datetime

from api.core.preflight.records import Binding, Verdict


@dataclass(frozen=True, slots=True)
class Given:
    """A decided run: what it said, about what, until when."""

    id: str
    verdict: Verdict
    binding: Binding
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """`why` it does not stand; "" when it does."""

    why: str = ""

    @property
    def stands(self) -> bool:
        return not self.why


def standing(given: Given, current: Binding, newest_run: str, evidence_fault: str, now: datetime) -> Standing:
    """`newest_run` is the newest decided run for the same target; `evidence_fault` what breaks the ledger."""
    if given.verdict is Verdict.NO_GO or given.expires_at is None:
        return Standing("it was a NO-GO")
    if now >= given.expires_at:
        return Standing(f"it expired at {given.expires_at:%Y-%m-%d %H:%M} UTC")
    if given.id != newest_run:
        return Standing(f"{newest_run} is a newer run")
    if given.binding.release != current.release:
        return Standing(f"the release is {current.release} now, it was for {given.binding.release}")
    if given.binding.configuration != current.configuration:
        return Standing("the configuration has changed since")
    if given.binding.facts != current.facts:
        return Standing("what it rests on has changed since: owners, waivers, drill or rehearsal")
    if evidence_fault:
        return Standing(f"the evidence does not verify any more: {evidence_fault}")
    return Standing()
