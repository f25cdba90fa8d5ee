"""What comes from Debian: installed where it may be, asked for in words anywhere else, never in the way."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deployments" / "debian.sh"
APT = '#!/bin/sh\necho "$*" >>"{log}"\n{then}\n'


class Machine:
    """A PATH of its own: only what is put there exists."""

    def __init__(self, folder: Path, system: str, user: int) -> None:
        self.path, self.log = folder / "bin", folder / "apt.log"
        self.path.mkdir()
        self._release = folder / "os-release"
        self._release.write_text(f"ID={system}\n")
        self.program("id", f"#!/bin/sh\necho {user}\n")
        for name in ("tail",):
            self.program(name, f'#!/bin/sh\nexec /usr/bin/{name} "$@"\n')

    def program(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def apt(self, then: str = "") -> None:
        self.program("apt-get", APT.format(log=self.log, then=then))

    def run(self, what: str) -> str:
        environment = {"PATH": str(self.path), "OS_RELEASE": str(self._release)}
        done = subprocess.run(
            ["/bin/sh", str(SCRIPT), what],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def asked(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.mark.parametrize(
    ("what", "program"), [("browser", "chromium"), ("browser", "google-chrome"), ("load", "wrk")]
)
def test_one_that_is_there_is_left_alone(tmp_path: Path, what: str, program: str) -> None:
    machine = Machine(tmp_path, "debian", 0)
    machine.apt()
    machine.program(program, "#!/bin/sh\n")
    assert (machine.run(what), machine.asked) == ("", "")


@pytest.mark.parametrize(("what", "package"), [("browser", "chromium"), ("load", "wrk")])
def test_root_on_debian_gets_one(tmp_path: Path, what: str, package: str) -> None:
    machine = Machine(tmp_path, "debian", 0)
    machine.apt()
    assert "installing" in machine.run(what)
    assert machine.asked.startswith("update") and f"--no-install-recommends {package}" in machine.asked


@pytest.mark.parametrize(("system", "user"), [("debian", 1000), ("ubuntu", 0), ("fedora", 0)])
def test_anyone_else_is_told_how(tmp_path: Path, system: str, user: int) -> None:
    machine = Machine(tmp_path, system, user)
    machine.apt()
    said = machine.run("browser")
    assert "tests are skipped" in said and "apt-get install chromium" in said
    assert "apt-get install wrk" in machine.run("load")
    assert machine.asked == ""


def test_without_apt_or_without_a_network_the_rest_goes_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "debian", 0)
    assert "cannot be measured" in machine.run("load")
    machine.apt("echo 'Temporary failure resolving' >&2; exit 100")
    said = machine.run("browser")
    assert "Temporary failure resolving" in said and "skipped" in said
