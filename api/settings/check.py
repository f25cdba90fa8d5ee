"""The settings with all that is wrong with them: what a start refuses and `firstuser env check` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from api.settings import GROUPS, Settings, named_file
from api.settings.group import Group
from api.settings.rules import Problem, problems


@dataclass(frozen=True, slots=True)
class Checked:
    """`settings` hold the default where a value has the wrong type; use them only without problems."""

    settings: Settings
    problems: Sequence[Problem]


def check(env_file: Path | None = None, over: Mapping[str, str] | None = None) -> Checked:
    """Read everything as `api.settings.load` does, judged in one go. `over`: variables that count more than
    any other, as a release brings them."""
    file = env_file or named_file()
    found: list[Problem] = []
    if file is not None and not file.is_file():
        fix = "Name a file of KEY=VALUE lines that this process may read."
        found.append(Problem("FIRSTUSER_ENV_FILE", "names a file that is not there", fix))
    read = {name: _lenient(group, file, over or {}, found) for name, group in GROUPS.items()}
    settings = Settings(**read)  # type: ignore[arg-type]
    return Checked(settings, [*found, *problems(settings)])


def listing(found: Sequence[Problem]) -> str:
    """One line each, for a terminal or a log."""
    lines = [f"  {one.name} {one.what}. {one.fix}" for one in found]
    return "\n".join([f"{len(found)} settings are not right:", *lines])


def _lenient(group: type[Group], file: Path | None, over: Mapping[str, str], found: list[Problem]) -> Group:
    """The group, values of the wrong type replaced by their defaults and noted in `found`."""
    known = {name: over[variable] for name, variable in group.variables().items() if variable in over}
    try:
        return group.read(file, **known)
    except ValidationError as error:
        wrong = {str(item["loc"][0]): item["msg"] for item in error.errors(include_input=False)}
    fields = {name: variable for name, variable in group.variables().items() if {name, variable} & {*wrong}}
    for name, variable in fields.items():
        said = wrong.get(name) or wrong[variable]
        found.append(Problem(variable, f"cannot be read: {said[:1].lower()}{said[1:]}", "Correct it."))
    return group.read(file, **known | {name: group.model_fields[name].get_default() for name in fields})
