"""The switches on the Ops page: what holds everywhere, what is switched for whom, and who changed what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.core.flags import service as flags
from api.core.flags.rules import EVERYWHERE, MEANING, NORMAL, FlagKey
from api.core.flags.service import Change, Switch
from api.core.founders import service as founders
from api.core.founders.service import FounderView
from api.http import features
from api.http.deps import owns_homepage
from api.http.services import Services

CHANGES_SHOWN = 20
NAMES: Mapping[FlagKey, str] = {
    FlagKey.INTEGRATION_ENABLED: "Integrations",
    FlagKey.ONBOARDING_PAUSED: "Onboarding",
    FlagKey.WEBHOOK_RETRIES_PAUSED: "Webhook deliveries",
}
STATES: Mapping[FlagKey, tuple[str, str]] = {
    FlagKey.INTEGRATION_ENABLED: ("off", "on"),
    FlagKey.ONBOARDING_PAUSED: ("open", "paused"),
    FlagKey.WEBHOOK_RETRIES_PAUSED: ("running", "paused"),
}
"""What False and True are called."""
ACTIONS: Mapping[FlagKey, tuple[str, str]] = {
    FlagKey.INTEGRATION_ENABLED: ("Switch all integrations off", "Switch integrations on"),
    FlagKey.ONBOARDING_PAUSED: ("Resume onboarding", "Pause onboarding"),
    FlagKey.WEBHOOK_RETRIES_PAUSED: ("Resume deliveries", "Pause deliveries"),
}
"""What setting it to False and to True is called."""


@dataclass(frozen=True, slots=True)
class Row:
    """A global switch. `good`: it stands as it normally does; `in_effect` is what holds in this process."""

    key: FlagKey
    name: str
    meaning: str
    state: str
    good: bool
    overridden: bool
    switch: Switch
    next_value: bool
    action: str


@dataclass(frozen=True, slots=True)
class Switches:
    """`tripped` and `changes` are only told to the owner of the homepage's space, who alone may change."""

    rows: Sequence[Row]
    may_change: bool
    tripped: Sequence[Switch]
    changes: Sequence[Change]
    names: Mapping[str, str]
    states: Mapping[FlagKey, tuple[str, str]]


def view(at: Services, who: FounderView) -> Switches:
    owner = owns_homepage(at, who)
    with at.transaction() as session:
        everywhere = features.everywhere(session)
        stored = flags.stored_switches(session) if owner else []
        changes = flags.history(session, CHANGES_SHOWN) if owner else []
        actors = {one.changed_by for one in (*everywhere, *stored, *changes)}
        names = founders.names(session, sorted(actors))
    return Switches(
        rows=[_row(at, switch) for switch in everywhere],
        may_change=owner,
        tripped=[one for one in stored if one.tripped and one.scope != EVERYWHERE],
        changes=changes,
        names=names,
        states=STATES,
    )


def _row(at: Services, switch: Switch) -> Row:
    in_effect = at.flags.value(switch.key, EVERYWHERE)
    return Row(
        key=switch.key,
        name=NAMES[switch.key],
        meaning=MEANING[switch.key],
        state=STATES[switch.key][in_effect],
        good=in_effect == NORMAL[switch.key],
        overridden=at.flags.overridden(switch.key, EVERYWHERE),
        switch=switch,
        next_value=not switch.value,
        action=ACTIONS[switch.key][not switch.value],
    )
