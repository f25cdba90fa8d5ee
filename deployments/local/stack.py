"""The handle on one stack: its folder, its ports, its settings. Commands about the service itself begin with
`open_service`, and work beyond the embedded stack, too."""

import os
from dataclasses import dataclass

from api.core.errors import NotFound
from api.providers.hosting.supervisor import Supervisor
from api.settings import Settings, StackSettings, load, named_file
from api.settings.rules import deployed
from deployments.local.environment import process_environment
from deployments.local.layout import StateFolder
from deployments.local.ports import Ports, read_ports


@dataclass(frozen=True, slots=True)
class Stack:
    """`settings` are production's."""

    state: StateFolder
    ports: Ports
    settings: Settings

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.state.root)

    @property
    def running(self) -> bool:
        return self.supervisor.alive()


def state_folder() -> StateFolder:
    """The folder that `FIRSTUSER_STATE_DIR` names; `var/` below the current one by default."""
    return StateFolder(StackSettings.read(named_file()).state_dir)


def open_stack(state: StateFolder | None = None) -> Stack:
    """Take on the environment of the stack in `state` (this process's from here on) and read its settings.

    Raises `NotFound` when there never was an `up` in that folder."""
    state = state or state_folder()
    ports = read_ports(state)
    if ports is None:
        raise NotFound(
            f"There is no stack in {state.root}, and no deployed service in this environment.",
            fix="Start one with `firstuser up`, set FIRSTUSER_STATE_DIR to the folder of another, or run this"
            " where the service runs.",
        )
    return enter(state, ports)


def open_service(state: StateFolder | None = None) -> Settings:
    """Production's settings: of the stack in the state folder, or, where there is none, of this environment
    if a platform runs the service in it. Raises `NotFound` where there is neither."""
    state = state or state_folder()
    if read_ports(state) is None and deployed(settings := load()):
        return settings
    return open_stack(state).settings


def enter(state: StateFolder, ports: Ports) -> Stack:
    os.environ.update(process_environment(state) | ports.environment())
    return Stack(state, ports, load())
