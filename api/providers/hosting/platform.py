"""Hosting on a platform: any `PlatformService` behind the ports of hosting.

A deploy counts as live when three agree: the platform says so, readyz is green from outside, and the process
there says our mark. Whatever was begun is gone on with: nothing is started twice because of a kill.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from api.core.errors import Conflict, NotFound, ProviderError, Refused, Rejected, TimedOut
from api.core.ids import new_id
from api.core.ports import Deploy, Permission, ServiceState
from api.providers.hosting import pointing
from api.providers.hosting.deploys import PlatformDeploy, PlatformService, Standing
from api.providers.hosting.pointing import MARK, OWN
from api.providers.hosting.readiness import seen
from api.providers.hosting.releases import RELEASE, refuse_secrets

STAGING = "staging"  # production is never re-pointed
NOT_CONFIGURED = "service_not_configured"
PAUSE_S = 2.0


class PlatformHosting:
    """`services` and `urls` (where they answer) by `production` and `staging`. `others` run with production's
    secrets, too, and answer nowhere: the platform alone says whether they run."""

    def __init__(
        self,
        services: Mapping[str, PlatformService],
        urls: Mapping[str, str],
        *,
        others: Mapping[str, PlatformService] = MappingProxyType({}),
        pause_s: float = PAUSE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = next(iter(services.values())).name
        self._services = services
        self._others = others
        self._urls = urls
        self._pause_s = pause_s
        self._sleep = sleep

    def pointer(self, service: str) -> str:
        """Always its own database: a copy that it serves now is a drill's that was killed."""
        self.base_url(service)
        return OWN

    def point(
        self, service: str, dsn: str, *, restored_copy: str | None = None, as_of: datetime | None = None
    ) -> str:
        self.base_url(service)
        platform = self._service(service)
        wanted = pointing.wanted(dsn, restored_copy, as_of)
        changed = pointing.changes(platform.get([*wanted]), wanted)
        # The mark goes first: where it is missing the service still has what it had.
        return self._deployed(service, {MARK: new_id("dep"), **changed} if changed else {})

    def redeploy(self, service: str, mark: str) -> str:
        """Deploy what serves once more, so that it reads its variables again; returns the deploy's id. With
        the same `mark` again it is the same deploy, until that has failed."""
        held = self._service(service).get([MARK]).get(MARK)
        return self._deployed(service, {} if held == mark else {MARK: mark})

    def redeploy_others(self, name: str, mark: str, timeout_s: float) -> None:
        """One after the other, those that hold the variable `name`; returns once they run. After a kill, some
        may be deployed once more by the next call."""
        for service, platform in self._others.items():
            if name not in platform.variable_names():
                continue
            newest = self._newest(platform)
            going = newest.standing is Standing.WAITING and platform.get([MARK]).get(MARK) == mark
            if going:
                platform.go_on()
            self.wait_live(service, newest.id if going else platform.deploy({MARK: mark}), timeout_s)

    def _deployed(self, service: str, changes: Mapping[str, str | None]) -> str:
        """What is on its way, or serves already, is taken for the one that is asked for."""
        platform = self._service(service)
        if not changes:
            newest = self._newest(platform)
            if newest.standing is Standing.WAITING:
                platform.go_on()
                return newest.id
            if newest.standing is Standing.LIVE and self._marked(service, platform):
                return newest.id
        return platform.deploy(changes)

    def _marked(self, service: str, platform: PlatformService) -> bool:
        """The process there runs with the variables that the platform has."""
        found = platform.get([MARK, pointing.COPY])
        state = seen(self._url(service))
        same_mark = MARK not in found or state.deploy_id == found[MARK]
        return same_mark and state.restored_copy == found.get(pointing.COPY)

    def wait_live(self, service: str, deploy_id: str, timeout_s: float) -> ServiceState:
        platform, began = self._service(service), time.monotonic()
        while True:
            state, late = self._look(service, platform, deploy_id)
            if not late:
                return state
            if time.monotonic() - began > timeout_s:
                raise TimedOut(
                    f"{service} does not serve deploy {deploy_id} after {timeout_s:.0f} s: {late}.",
                    provider=self.name,
                    operation="wait_live",
                    fix=f"Look at the deploy's log on {self.name}.",
                )
            self._sleep(self._pause_s)

    def _look(self, service: str, platform: PlatformService, deploy_id: str) -> tuple[ServiceState, str]:
        """And why it is not live yet, "" when it is. Raises `Rejected` for a deploy that will never be."""
        known = platform.deploys()
        ours = next((one for one in known if one.id == deploy_id), None)
        if ours is None:
            return ServiceState(False, "", None), "the platform does not list it yet"
        if ours.standing is Standing.FAILED:
            raise self._never(f"{service}: deploy {ours.id} failed ({ours.said})")
        # Variables are the service's: where a deploy of somebody else took its place, that has them, too.
        serving = ours if ours.standing in {Standing.WAITING, Standing.LIVE} else known[0]
        if serving.standing in {Standing.FAILED, Standing.DROPPED}:
            raise self._never(f"{service}: deploy {ours.id} is {ours.said}, and {serving.id} {serving.said}")
        if serving.standing is not Standing.LIVE:
            return ServiceState(False, "", None), f"{serving.id} is {serving.said}"
        if service in self._others:
            return ServiceState(True, ours.id, None, _instead(ours, serving)), ""
        found, state = platform.get([MARK]), seen(self._url(service))
        if not state.healthy:
            return state, state.detail or "readyz is red"
        if MARK in found and state.deploy_id != found[MARK]:
            return state, f"{state.deploy_id or 'an older one'} answers instead of {found[MARK]}"
        return ServiceState(True, ours.id, state.restored_copy, _instead(ours, serving)), ""

    def _never(self, what: str) -> Rejected:
        fix = f"Read the deploy's log on {self.name}, then deploy again."
        return Rejected(f"{what}.", provider=self.name, operation="wait_live", fix=fix)

    def state(self, service: str) -> ServiceState:
        self.base_url(service)
        return self.served(service)

    def served(self, service: str) -> ServiceState:
        state = seen(self._url(service))
        try:
            known = self._service(service).deploys()
        except ProviderError as error:
            return ServiceState(False, "", state.restored_copy, error.message)
        live = next((one.id for one in known if one.standing is Standing.LIVE), "")
        return ServiceState(state.healthy, live, state.restored_copy, state.detail)

    def base_url(self, service: str) -> str:
        if service != STAGING:
            raise NotFound(
                f"There is no service {service!r} that could be re-pointed.", fix=f"Choose {STAGING}."
            )
        return self._url(service)

    def deploys(self, service: str) -> Sequence[Deploy]:
        """Those that served, oldest first, and the one that is about to."""
        shown = {Standing.LIVE, Standing.GONE, Standing.WAITING}
        known = self._service(service).deploys()
        return [_deploy(one) for one in reversed(known) if one.standing in shown]

    def deploy(
        self, service: str, release: str, variables: Mapping[str, str], *, irreversible: bool = False
    ) -> str:
        """As in the port; a release is a commit or the tag of an image. What serves already, or is about to,
        is not deployed again."""
        refuse_secrets(variables)
        platform = self._service(service)
        self._refuse_on_a_copy(service, platform)
        newest = self._newest(platform)
        going = newest.standing in {Standing.LIVE, Standing.WAITING} and newest.release == release
        if going and not pointing.changes(platform.get([*variables]), variables):
            platform.go_on()
            return newest.id
        named = {RELEASE: release} if RELEASE in platform.variable_names() else {}
        changed = {MARK: new_id("dep"), **named, **variables}
        return platform.release(release, changed, irreversible=irreversible)

    def over(self, service: str) -> Mapping[str, str]:
        """Nothing: variables are the service's own here."""
        return {}

    def roll_back(self, service: str, to: str = "") -> str:
        platform = self._service(service)
        self._refuse_on_a_copy(service, platform)
        known = [one for one in platform.deploys() if one.standing is not Standing.DROPPED]
        target = _target(service, known, to)
        if target is None:
            platform.go_on()
            return known[0].id
        _check_reversible(known[: known.index(target)])
        return platform.roll_back(target)

    def _refuse_on_a_copy(self, service: str, platform: PlatformService) -> None:
        if service == STAGING and platform.get([pointing.COPY]):
            raise Conflict(
                f"{service} serves a restored copy.", fix="Wait for the restore drill to end, then try again."
            )

    def variables(self, service: str) -> Collection[str]:
        return set(self._service(service).variable_names()) - pointing.OURS

    def check_access(self) -> Sequence[Permission]:
        return [
            Permission(f"{service}: {one.what}", one.ok, one.observed, one.fix)
            for service, platform in {**self._services, **self._others}.items()
            for one in platform.check_access()
        ]

    def _newest(self, platform: PlatformService) -> PlatformDeploy:
        known = platform.deploys()
        if not known:
            raise Refused(f"Nothing was ever deployed on {self.name}.", fix="Deploy the service first.")
        return known[0]

    def _service(self, service: str) -> PlatformService:
        found = self._services.get(service) or self._others.get(service)
        if found is None:
            raise Refused(
                f"{service} is not configured on {self.name}.",
                fix="`.env.example` lists what it takes.",
                code=NOT_CONFIGURED,
            )
        return found

    def _url(self, service: str) -> str:
        found = self._urls.get(service, "")
        if not found:
            fix = "Set FIRSTUSER_STAGING_URL." if service == STAGING else "Set PUBLIC_APP_URL."
            raise Refused(f"Where {service} answers is not known.", fix=fix)
        return found.rstrip("/")


def _instead(ours: PlatformDeploy, serving: PlatformDeploy) -> str:
    return "" if ours is serving else f"{serving.id} took the place of {ours.id}, with the same variables"


def _target(service: str, known: Sequence[PlatformDeploy], to: str) -> PlatformDeploy | None:
    """None when it serves already, or is about to. Raises `Refused`."""
    newest = next(iter(known), None)
    if newest is None:
        raise Refused(f"{service} was never deployed.", fix="Deploy a good release.")
    served = {Standing.LIVE, Standing.GONE}
    going = newest.standing in {Standing.LIVE, Standing.WAITING}
    if to:
        target = next((one for one in known if one.id == to), None)
        if going and target and (target is newest or target.release == newest.release):
            return None
    else:
        if going and (newest.went_back or (newest.standing is Standing.WAITING and _returns(known))):
            return None
        serving = next((one for one in known if one.standing is Standing.LIVE), newest)
        older = known[known.index(serving) + 1 :]
        target = next((o for o in older if o.standing in served and o.release != serving.release), None)
    if target is None:
        raise Refused(f"{service} has no earlier release to go back to.", fix="Deploy a good one.")
    return target


def _returns(known: Sequence[PlatformDeploy]) -> bool:
    """The newest has a release that served before the one that serves now."""
    newest = known[0]
    others = [one.release != newest.release for one in known[1:]]
    return others[:1] == [True] and not all(others)


def _check_reversible(newer: Sequence[PlatformDeploy]) -> None:
    blocking = next((one for one in newer if one.irreversible and one.standing is not Standing.FAILED), None)
    if blocking is not None:
        raise Refused(
            f"{blocking.release} carries a migration that cannot be taken back.",
            fix="Roll forward: the rollback owner decides how.",
            code="irreversible_migration",
        )


def _deploy(one: PlatformDeploy) -> Deploy:
    return Deploy(one.id, one.release, one.at, one.irreversible)
