"""The release before is deployed again through the hosting provider, and seen to serve. Then the edge forgets
what it has cached of the other one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.core.errors import ProviderError, Refused
from api.core.incidents.acting import Observed
from api.core.ports import HostingProvider, ReleaseKeeper


@dataclass(frozen=True, slots=True)
class RollBack:
    """`purge` empties the edge's cache, where there is an edge."""

    hosting: HostingProvider
    purge: Callable[[], None] | None = None

    def act(self, target: str, episode_id: str) -> Mapping[str, Any]:
        return {"deploy_id": self._keeper().roll_back(target)}

    def observe(self, target: str, done: Mapping[str, Any], wall: datetime) -> Observed:
        served = self._keeper().served(target)
        if served.deploy_id != done["deploy_id"]:
            serves = served.deploy_id or "nothing"
            return Observed(
                False, f"{target} serves {serves}, not {done['deploy_id']}. {served.detail}".strip()
            )
        if not served.healthy:
            return Observed(False, f"{done['deploy_id']} is live and not green: {served.detail}.")
        return Observed(True, f"{done['deploy_id']} is live, and its probes are green.{self._purged()}")

    def undo(self, target: str, by: str, reason: str) -> str:
        """Nothing: going forward again is a deploy, and the releasing person's."""
        return ""

    def _purged(self) -> str:
        """The rollback counts without it: pages of the product are hardly ever cached."""
        if self.purge is None:
            return ""
        try:
            self.purge()
        except ProviderError as error:
            return f" The edge's cache was not purged: {error.message}"
        return " The edge's cache is purged."

    def _keeper(self) -> ReleaseKeeper:
        if isinstance(self.hosting, ReleaseKeeper):
            return self.hosting
        raise Refused(f"{self.hosting.name} knows no releases to go back to.", fix="Roll back by hand.")
