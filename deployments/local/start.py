"""`firstuser up`: from an empty folder, or from yesterday's, to a stack that serves.

Order, with what may run at the same time side by side:

    folders, ports, secrets → supervisor, cluster → PostgreSQL → roles and databases
        → Prefect server → pool, deployments, limits, automations → worker
        → migrations → seed → first full backup;  APIs → beacon, traffic
    → health watcher, alert watcher

Each step is awaited by the part's own probe. What is there already is left as it is.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

from api.core.errors import Unavailable
from api.providers.databases.embedded.cluster import Cluster
from api.providers.hosting.pointer import forget_pointers
from api.settings import StackSettings, named_file
from deployments.local import data, parts, records
from deployments.local.environment import given_settings, process_environment, write_env_files
from deployments.local.gates import await_ready, log_end
from deployments.local.layout import REPOSITORY, StateFolder
from deployments.local.lock import alone
from deployments.local.parts import Part
from deployments.local.ports import Ports, choose, read_ports, write_ports
from deployments.local.prefect import write_profile
from deployments.local.probes import Probes, probes
from deployments.local.stack import Stack, enter, state_folder
from deployments.local.stop import end_survivors, stop
from deployments.local.supervision import launch, write_config

READY_TIMEOUT_S = 90
PREFECT_TIMEOUT_S = 180  # its first start also creates its tables

Say = Callable[[str, float], None]
"""Told about each finished step: its title and how many seconds it took."""


def up(say: Say) -> Stack:
    """Start whatever does not run yet. When a fresh start fails, everything is stopped again."""
    state = state_folder()
    state.create()
    with alone(state):
        stack = _prepare(state)
        fresh = not stack.running
        try:
            _Start(stack, say, probes(stack.state, stack.settings)).everything()
        except BaseException:
            if fresh:
                stop(stack, lambda _title, _seconds: None)
            raise
    return stack


def _prepare(state: StateFolder) -> Stack:
    """Ports, files, secrets. While the stack runs, its ports stay as they are."""
    given, asked = given_settings(), StackSettings.read(named_file())
    kept = read_ports(state)
    if kept is not None and (running := enter(state, kept)).running:
        return running
    end_survivors(state)
    ports = choose(asked, kept)
    _write(state, ports, given)
    return enter(state, ports)


def _write(state: StateFolder, ports: Ports, given: dict[str, str]) -> None:
    write_ports(state, ports)
    write_env_files(state, ports, given)
    write_profile(state, ports)


@dataclass(frozen=True, slots=True)
class _Start:
    stack: Stack
    say: Say
    probes: Probes
    abandoned: Event = field(default_factory=Event)

    def everything(self) -> None:
        wanted = parts.wanted(self.stack.settings)
        with ThreadPoolExecutor(max_workers=8, thread_name_prefix="up") as pool:
            cluster = pool.submit(self._cluster)
            self._supervisor(wanted)
            cluster.result()
        bootstrap = self._launch_bootstrap()
        try:
            self._postgres(wanted)
            with ThreadPoolExecutor(max_workers=8, thread_name_prefix="up") as pool:
                branches = [
                    pool.submit(self._orchestration, bootstrap),
                    pool.submit(self._service, wanted),
                ]
                try:
                    for branch in as_completed(branches):
                        branch.result()
                except BaseException:  # an interrupt too: nobody has to wait for the rest
                    self.abandoned.set()
                    bootstrap.kill()
                    raise
        finally:
            if bootstrap.poll() is None:
                bootstrap.kill()
        self._part(parts.HEALTH)
        self._part(parts.WATCHER)

    def _cluster(self) -> None:
        with self._step("database cluster"):
            Cluster.from_settings(self.stack.settings).initialise()

    def _supervisor(self, wanted: tuple[Part, ...]) -> None:
        if self.stack.running:
            return
        for part in parts.ALL:
            records.forget(self.stack.state, part.name)
        forget_pointers(self.stack.state.root)  # whatever drill pointed staging away is over
        data.end_copies(self.stack)
        write_config(self.stack.state, wanted)
        with self._step("supervisor"):
            launch(self.stack.state)

    def _postgres(self, wanted: tuple[Part, ...]) -> None:
        if parts.ARCHIVER in wanted:
            self._part(parts.ARCHIVER)
        with self._step(parts.POSTGRES.title):
            cluster = Cluster.from_settings(self.stack.settings)
            self.stack.supervisor.start(parts.POSTGRES.name)
            cluster.wait_ready(READY_TIMEOUT_S)
            cluster.prepare()
            data.admit(self.stack)

    def _launch_bootstrap(self) -> subprocess.Popen[bytes]:
        """Early, so that its imports run while the server starts; it waits for the server itself."""
        log = self.stack.state.log("bootstrap")
        with log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "deployments.local.bootstrap"],
                env=process_environment(self.stack.state),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _orchestration(self, bootstrap: subprocess.Popen[bytes]) -> None:
        self._part(parts.PREFECT_SERVER, PREFECT_TIMEOUT_S)
        with self._step("deployments in Prefect"):
            if bootstrap.wait(PREFECT_TIMEOUT_S) != 0:
                log = Part("bootstrap", "bootstrap", 0)
                raise Unavailable(
                    f"Prefect did not take the deployments.\n{log_end(self.stack.state, log)}",
                    provider="prefect",
                    operation="bootstrap",
                    fix=f"Read {self.stack.state.log('bootstrap')}.",
                )
        self._part(parts.PREFECT_WORKER)

    def _service(self, wanted: tuple[Part, ...]) -> None:
        with self._step("migrations"):
            data.migrate(self.stack)
        with self._step("seed"):
            data.seed_once(self.stack)
        others = [part for part in (parts.DISPATCHER, parts.BEACON, parts.TRAFFIC) if part in wanted]
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="up") as pool:
            backup = pool.submit(self._first_backup)
            apis = [pool.submit(self._part, part) for part in (parts.API_PRODUCTION, parts.API_STAGING)]
            for running in (*apis, backup):
                running.result()
        for part in others:
            self._part(part)

    def _first_backup(self) -> None:
        with self._step("first full backup"):
            data.first_backup(self.stack)

    def _part(self, part: Part, timeout_s: float = READY_TIMEOUT_S) -> None:
        with self._step(part.title):
            self.stack.supervisor.start(part.name)
            probe = self.probes.ready.get(part.name)
            await_ready(self.stack.state, part, probe, timeout_s, self.abandoned)

    @contextmanager
    def _step(self, title: str) -> Generator[None]:
        began = time.monotonic()
        yield
        self.say(title, time.monotonic() - began)
