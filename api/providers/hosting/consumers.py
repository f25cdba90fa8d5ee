"""Rotation on a platform (`api.core.rotation.consumers`): whatever of production holds what changed is
deployed anew with it, the API first."""

from collections.abc import Callable
from dataclasses import dataclass

from api.providers.hosting.platform import PlatformHosting

PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Redeployed:
    """`wait_s` has to cover a roll-out and its first word of itself. The hosting is made when it is needed: a
    process that rotates nothing needs no credentials for it."""

    hosting: Callable[[], PlatformHosting]
    wait_s: float

    @property
    def advice(self) -> str:
        return "Look at the service's newest deploy on its platform, deploy it again, then run it again."

    def redeploy(self, name: str, mark: str) -> None:
        """Returns once the deploys are live: only then the processes of before are on their way out. The
        worker is asked for last: its own deploy ends this process, and nobody is behind any more."""
        hosting = self.hosting()
        hosting.wait_live(PRODUCTION, hosting.redeploy(PRODUCTION, mark), self.wait_s)
        hosting.redeploy_others(name, mark, self.wait_s)

    def running_version(self) -> str:
        served = self.hosting().served(PRODUCTION)
        return f"{PRODUCTION} runs {served.deploy_id}" if served.deploy_id else ""
