"""Feature flags and pauses as JSON: a founder's for their own space and its integrations, the global switches
for the owner of the homepage's space.

A change holds in this process at once, and in every other within seconds.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints

from api.core.access import service as access
from api.core.access.service import SpaceSummary
from api.core.errors import NotFound
from api.core.flags import service as flags
from api.core.flags.rules import EVERYWHERE, SCOPES, FlagKey
from api.core.flags.service import Switch
from api.db.engine import Session
from api.http.deps import At, HomepageOwner, SignedIn
from api.http.problems import FOUNDER_CODES, documented
from api.http.services import Services
from api.http.shapes import Moment

CHANGING = (*FOUNDER_CODES, "foreign_origin", "refused")
router = APIRouter(prefix="/api/founder/v1", tags=["features"], responses=documented(*FOUNDER_CODES))

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$"),
]
IntegrationKey = Literal["integration_enabled", "webhook_retries_paused"]


class OnboardingIn(BaseModel):
    paused: bool
    reason: Reason


class FeatureIn(BaseModel):
    """`enabled` is the flag's value: `webhook_retries_paused` enabled holds deliveries back. Without an
    `integration_id` every integration of the space is meant; deliveries are held for the space itself, and so
    for integrations that it gets later, too."""

    enabled: bool
    reason: Reason
    integration_id: str | None = None


class GlobalIn(BaseModel):
    enabled: bool
    reason: Reason


class FeatureOut(BaseModel):
    """`enabled` is what was set for exactly this scope, `in_effect` what holds in it, the global switch and
    the environment's override (`overridden`) included."""

    object: Literal["feature"] = "feature"
    key: FlagKey
    space_id: str | None
    integration_id: str | None
    enabled: bool
    in_effect: bool
    overridden: bool
    reason: str
    changed_by: str
    changed_at: Moment | None


class FeaturesOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[FeatureOut]
    has_more: bool = False
    next_cursor: None = None


class ChangeOut(BaseModel):
    """`before` or `after` is null where the flag had, or has, no value of its own."""

    object: Literal["feature_change"] = "feature_change"
    key: str
    scope: str
    before: bool | None
    after: bool | None
    reason: str
    changed_by: str
    changed_at: Moment


class ChangesOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[ChangeOut]
    has_more: bool
    next_cursor: None = None


@router.get("/spaces/{slug}/features")
def features(at: At, who: SignedIn, slug: str) -> FeaturesOut:
    with at.transaction() as session:
        return _of_space(session, at, access.space(session, who.id, slug))


@router.patch("/spaces/{slug}/onboarding", responses=documented(*CHANGING))
def onboarding(at: At, who: SignedIn, slug: str, body: OnboardingIn) -> FeatureOut:
    """Pause or resume joining. Who has joined already goes on."""
    with at.transaction() as session:
        space = access.space(session, who.id, slug)
        change(session, at, FlagKey.ONBOARDING_PAUSED, space.id, body.paused, who.id, body.reason)
        (found,) = flags.switches(session, FlagKey.ONBOARDING_PAUSED, [space.id])
    at.flags.refresh()
    return shown(at, found)


@router.patch("/spaces/{slug}/features/{key}", responses=documented(*CHANGING))
def feature(at: At, who: SignedIn, slug: str, key: IntegrationKey, body: FeatureIn) -> FeaturesOut:
    """For one integration of the space, or for all of them."""
    flag = FlagKey(key)
    with at.transaction() as session:
        space = access.space(session, who.id, slug)
        scopes = _scopes(space, flag, body.integration_id)
        for scope in scopes:
            change(session, at, flag, scope, body.enabled, who.id, body.reason)
        found = flags.switches(session, flag, scopes)
    at.flags.refresh()
    return FeaturesOut(data=[shown(at, one, space.id) for one in found])


@router.get("/ops/flags", tags=["ops"])
def global_switches(at: At, who: SignedIn) -> FeaturesOut:
    """What holds everywhere."""
    with at.transaction() as session:
        found = everywhere(session)
    return FeaturesOut(data=[shown(at, one) for one in found])


@router.patch("/ops/flags/{key}", tags=["ops"], responses=documented(*CHANGING, "homepage_owner_required"))
def global_switch(at: At, who: HomepageOwner, key: FlagKey, body: GlobalIn) -> FeatureOut:
    """For every space and integration."""
    with at.transaction() as session:
        change(session, at, key, EVERYWHERE, body.enabled, who.id, body.reason)
        (found,) = flags.switches(session, key, [EVERYWHERE])
    at.flags.refresh()
    return shown(at, found)


@router.get(
    "/ops/flags/changes", tags=["ops"], responses=documented(*FOUNDER_CODES, "homepage_owner_required")
)
def changes(at: At, who: HomepageOwner, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> ChangesOut:
    """Every change of every flag, newest first."""
    with at.transaction() as session:
        found = flags.history(session, limit + 1)
    data = [ChangeOut.model_validate(one, from_attributes=True) for one in found[:limit]]
    return ChangesOut(data=data, has_more=len(found) > limit)


def change(
    session: Session, at: Services, key: FlagKey, scope: str, value: bool, by: str, reason: str
) -> None:
    flags.set_value(session, key, scope, value, by=by, reason=reason, now=at.clock())


def everywhere(session: Session) -> list[Switch]:
    return [found for key in FlagKey for found in flags.switches(session, key, [EVERYWHERE])]


def shown(at: Services, switch: Switch, within: str = EVERYWHERE) -> FeatureOut:
    """`within`: the space, where it is known."""
    scope = switch.scope or None
    return FeatureOut(
        key=switch.key,
        space_id=scope if (switch.scope.startswith("spc_")) else None,
        integration_id=scope if (switch.scope.startswith("int_")) else None,
        enabled=switch.value,
        in_effect=at.flags.value(switch.key, switch.scope, within),
        overridden=at.flags.overridden(switch.key, switch.scope),
        reason=switch.reason,
        changed_by=switch.changed_by,
        changed_at=switch.changed_at,
    )


def _of_space(session: Session, at: Services, space: SpaceSummary) -> FeaturesOut:
    found = flags.switches(session, FlagKey.ONBOARDING_PAUSED, [space.id])
    found += flags.switches(session, FlagKey.INTEGRATION_ENABLED, space.integration_ids)
    found += flags.switches(session, FlagKey.WEBHOOK_RETRIES_PAUSED, [space.id, *space.integration_ids])
    return FeaturesOut(data=[shown(at, one, space.id) for one in found])


def _scopes(space: SpaceSummary, flag: FlagKey, asked: str | None) -> Sequence[str]:
    """Raises `NotFound` for an integration that is not the space's."""
    if asked is None:
        return [space.id] if "spc" in SCOPES[flag] else space.integration_ids
    if asked not in space.integration_ids:
        raise NotFound(f"There is no integration {asked!r} in this space.", fix="Check the id.")
    return [asked]
