"""How the services that carry a secret of the platform come to run with what was changed: `Consumers`.

A rotation changes the variables, calls `redeploy`, and waits until every process is seen to have them.
Processes that look at a file of theirs need nothing else (`SelfReading`, the default). Those with variables
of a platform know what these were at their start, and have to be deployed anew after each change: an adapter
for such a platform goes into `api.providers.hosting`, and `api.rotating.consumers` chooses it.
"""

from dataclasses import dataclass
from typing import Protocol


class Consumers(Protocol):
    """`wait_s`: how long it may take until every process is seen with the change. `advice`: what somebody can
    do when it was not."""

    @property
    def wait_s(self) -> float: ...

    @property
    def advice(self) -> str: ...

    def redeploy(self, name: str, mark: str) -> None:
        """Have every service that carries the secret `name` start anew, with what its platform holds now.

        Returns once that is asked for. It is called only while a process is seen to be behind. `mark`
        (`rot_x:store`) names the change: asked again with the same one after a kill, a deploy that was begun
        for it is gone on with. May raise `ProviderError`."""
        ...

    def running_version(self) -> str:
        """Which deploys serve now, for the record; "" where there are none. May raise `ProviderError`."""
        ...


@dataclass(frozen=True, slots=True)
class SelfReading:
    """Every process looks at its file by itself."""

    wait_s: float = 60.0
    advice: str = "Redeploy the service where it reads variables of its platform, then run it again."

    def redeploy(self, name: str, mark: str) -> None:
        """Nothing to do but to wait."""

    def running_version(self) -> str:
        return ""
