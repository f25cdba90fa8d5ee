"""`ManagedDatabase`: the port `DatabaseProvider` over a vendor, whoever it is.

A copy is known by its name alone: whatever was killed, timed out or answered twice, the vendor's list of
copies says what there is, and is read again before anything is done about it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from api.core.clock import Clock, system_clock
from api.core.errors import ProviderError, Refused, Rejected, TimedOut, Unavailable
from api.core.ports import (
    BackupPolicy,
    Handle,
    OnProgress,
    Permission,
    Progress,
    ProviderFact,
    RestorePlan,
    RestorePoint,
    RestoreTarget,
)
from api.providers.access import tried
from api.providers.databases.copy_login import COPY
from api.providers.databases.logins import group_of
from api.providers.databases.managed import addresses, checks, opening
from api.providers.databases.managed.vendor import Copy, State, Vendor

LOOKS = 5
"""How often the vendor's list is read for a copy that may or may not have been made."""

RECENT = timedelta(minutes=5)
"""A moment so near to the newest one is not a chosen one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`poll_s` between two looks; `timeout_s` for a copy to come or to go."""

    poll_s: float
    timeout_s: float
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic


class ManagedDatabase:
    """`app` and `admin`: production's URL as these roles connect to it. `password`: of the login that a copy
    gets, by the copy's name."""

    def __init__(
        self,
        vendor: Vendor,
        app: str,
        admin: str,
        password: Callable[[str], str],
        pace: Pace,
        clock: Clock = system_clock,
    ) -> None:
        self.name = vendor.name
        self._vendor = vendor
        self._app = app
        self._admin = admin
        self._password = password
        self._pace = pace
        self._clock = clock

    def restore_points(self) -> Sequence[RestorePoint]:
        window = self._vendor.window(self._clock())
        if window is None:
            return []
        return [RestorePoint(window.source, "vendor", window.earliest, window.latest, 0)]

    def locate(self, target: RestoreTarget) -> RestorePlan:
        """Vendors take whole seconds: the next one, or the one before where that is too new."""
        opening.require_admin(self._app, self._admin)
        points = self.restore_points()
        for point in points:
            self._refuse_a_chosen_moment(target, point)
            whole = target.at.replace(microsecond=0)
            later = whole + timedelta(seconds=1) if target.at.microsecond else whole
            latest = point.latest or point.earliest
            at = later if later <= latest else whole
            if point.earliest <= at <= latest:
                return RestorePlan(RestoreTarget(at), point, 0, 0)
        shown = "; ".join(f"{p.earliest.isoformat()} … {p.latest and p.latest.isoformat()}" for p in points)
        reach = shown or "no moment at all"
        raise Refused(
            f"{self.name} cannot restore to {target.at.isoformat()}, but to {reach}.",
            fix="Choose a moment within, or turn point-in-time recovery on.",
            code="target_not_restorable",
        )

    def restore(self, plan: RestorePlan, name: str, expires_at: datetime, on_progress: OnProgress) -> Handle:
        copy = self._adopted(name, plan.target.at) or self._made(name, plan.target.at, expires_at)
        handle = Handle(name, copy.target_at, copy.expires_at, dict(copy.ids))
        if not self._vendor.picks_moment:
            return handle
        self.wait(handle, on_progress)
        return replace(handle, target_at=checks.moment(self.dsn(handle, "admin")) or copy.target_at)

    def wait(self, handle: Handle, on_progress: OnProgress) -> None:
        """Until the vendor says that it is ready, and it lets somebody in."""
        started = self._pace.monotonic()
        while True:
            copy = self._seen(handle.name)
            if copy is not None and self._stands(copy):
                return
            elapsed = self._pace.monotonic() - started
            word = copy.word if copy else "no answer"
            if elapsed > self._pace.timeout_s:
                raise self._error(TimedOut, "wait", f"{handle.name} is still {word} after {elapsed:.0f} s")
            on_progress(Progress("replay", round(elapsed), 0, "s"))
            self._pace.sleep(self._pace.poll_s)

    def promote(self, handle: Handle) -> None:
        """It is handed out open: what it lacks is a login that is nobody else's."""
        opening.require_admin(self._app, self._admin)
        group = group_of(addresses.user(self._app))
        opening.open_copy(self.dsn(handle, "admin"), group, self._password(handle.name), self.name)

    def dsn(self, handle: Handle, role: str) -> str:
        """The app has the copy's own login, at the place where the app reaches it. Raises `Rejected` rather
        than lead anybody to production itself."""
        # vendors are asked for the administrator alone: they may not know the app's login of that day
        asked = addresses.like(self._app, self._admin) if role == "app" else self._admin
        url = self._vendor.address(self._one(handle.name), asked)
        if addresses.place(url) in {addresses.place(self._app), addresses.place(self._admin)}:
            raise self._error(Rejected, "connect", f"gives production's own address for {handle.name}")
        return addresses.with_login(url, COPY, self._password(handle.name)) if role == "app" else url

    def verify(self, handle: Handle) -> Sequence[ProviderFact]:
        facts = self._vendor.facts(self._one(handle.name))
        return [*facts, checks.open_fact(self.dsn(handle, "admin"))]

    def amcheck(self, handle: Handle) -> ProviderFact:
        return checks.corruption(self.dsn(handle, "admin"))

    def destroy(self, handle: Handle) -> None:
        """Every copy of that name; one that is still being made is waited for."""
        deadline = self._pace.monotonic() + self._pace.timeout_s
        while left := [copy for copy in self._named(handle.name) if copy.state is not State.LEAVING]:
            try:
                for copy in left:
                    self._vendor.delete(copy)
            except (Unavailable, TimedOut):
                if self._pace.monotonic() > deadline:
                    raise
                self._pace.sleep(self._pace.poll_s)
            else:
                if self._pace.monotonic() > deadline:
                    raise self._error(TimedOut, "destroy", f"still shows {handle.name}")
                if self._named(handle.name):
                    self._pace.sleep(self._pace.poll_s)

    def orphans(self, now: datetime) -> Sequence[Handle]:
        return [
            Handle(copy.name, copy.target_at, copy.expires_at, dict(copy.ids))
            for copy in self._vendor.copies()
            if copy.state is not State.LEAVING
        ]

    def backup_policy(self) -> BackupPolicy:
        return self._vendor.policy(self._clock())

    def check_access(self) -> Sequence[Permission]:
        untold = "only a drill shows; docs/providers/databases.md says what it needs"
        return [
            tried("read backups", self.backup_policy, lambda found: f"kept {found.retention_days:g} days"),
            tried("read what can be restored", self.restore_points, lambda found: f"{len(found)} sources"),
            tried("list copies", self._vendor.copies, lambda found: f"{len(found)} copies"),
            Permission("make and delete copies", None, untold),
            self._opener(),
        ]

    def _opener(self) -> Permission:
        what = "give a copy a login of its own"
        missing = opening.missing_admin(self._app, self._admin)
        said = missing or f"{addresses.user(self._admin)} is to do it; only a drill shows"
        return Permission(what, False if missing else None, said, opening.FIX if missing else "")

    def _refuse_a_chosen_moment(self, target: RestoreTarget, point: RestorePoint) -> None:
        newest = point.latest or point.earliest
        if self._vendor.picks_moment and target.at < newest - RECENT:
            raise Refused(
                f"{self.name} cannot restore to a chosen moment: its API does that only in place, over "
                "production itself.",
                fix="Drill to `latest`; a chosen moment can be restored into a new project in its dashboard.",
                code="no_chosen_moment",
            )

    def _named(self, name: str) -> list[Copy]:
        return [copy for copy in self._vendor.copies() if copy.name == name]

    def _living(self, name: str) -> Copy | None:
        return next((copy for copy in self._named(name) if copy.state is not State.LEAVING), None)

    def _one(self, name: str) -> Copy:
        copy = self._living(name)
        if copy is None:
            raise self._error(Rejected, "find", f"has no {name} any more", "Drill again.")
        return copy

    def _adopted(self, name: str, at: datetime) -> Copy | None:
        """What an earlier call has made, unless it failed or is of another moment: that goes."""
        copy = self._living(name)
        if copy is None:
            return None
        if copy.state is State.FAILED or copy.target_at != at:
            self.destroy(Handle(name, at, at))
            return None
        return copy

    def _made(self, name: str, at: datetime, expires_at: datetime) -> Copy:
        """Asked for once; when nobody knows whether it was heard, the list says."""
        expires_at = expires_at.replace(microsecond=0)
        unsure: TimedOut | None = None
        try:
            self._vendor.create(name, at, expires_at)
        except TimedOut as error:
            unsure = error
        for _ in range(LOOKS):
            copy = self._living(name)
            if copy is not None:
                return copy
            self._pace.sleep(self._pace.poll_s)
        raise unsure or self._error(TimedOut, "restore", f"took the order for {name}, and does not show it")

    def _seen(self, name: str) -> Copy | None:
        """None when the vendor cannot be asked just now."""
        try:
            copy = self._one(name)
            if copy.state is State.HALF:
                self._vendor.proceed(copy)
        except (Unavailable, TimedOut):
            return None
        if copy.state is State.FAILED:
            fix = "Look at the copy in the vendor's console; drill to another moment."
            raise self._error(Rejected, "wait", f"could not make {name}: {copy.word}", fix)
        return copy

    def _stands(self, copy: Copy) -> bool:
        if copy.state is not State.READY:
            return False
        try:
            url = self._vendor.address(copy, self._admin)
        except (Unavailable, TimedOut):
            return False
        return checks.answers(url)

    def _error(self, kind: type[ProviderError], operation: str, said: str, fix: str = "") -> ProviderError:
        return kind(f"{self.name} {said}.", provider=self.name, operation=operation, fix=fix)
