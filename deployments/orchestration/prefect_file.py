"""`prefect.yaml` before Prefect reads it: variables that nobody set, schedules that nobody wants.

Pure: text and the environment in, text out.
"""

import re
from collections.abc import Mapping, Set
from typing import Any

import yaml

from api.core.errors import Refused

OFF = "off"
_VARIABLE = re.compile(r"{{\s*\$(\w+)\s*}}")


def check_variables(text: str, environment: Mapping[str, str]) -> None:
    """Prefect would take an unset variable literally. Raises `Refused` with all of them."""
    unset = sorted({name for name in _VARIABLE.findall(text) if not environment.get(name)})
    if unset:
        names = ", ".join(f"${name}" for name in unset)
        raise Refused(f"prefect.yaml uses {names}, which nobody set.", fix=f"Set {', '.join(unset)}.")


def unscheduled(text: str, chosen: str) -> Set[str]:
    """Names of the deployments that are to have no schedule. Raises `Refused` when `chosen` names others.

    `chosen` is `FIRSTUSER_SCHEDULES`: nothing for all of them, `off`, or names, comma-separated.
    """
    scheduled = {one["name"] for one in _deployments(yaml.safe_load(text)) if one.get("schedules")}
    wanted = {name for name in (part.strip() for part in chosen.split(",")) if name}
    if not wanted:
        return set()
    if wanted == {OFF}:
        return scheduled
    if unknown := sorted(wanted - scheduled):
        raise Refused(
            f"FIRSTUSER_SCHEDULES names {', '.join(unknown)}, and no such deployment has a schedule.",
            fix=f"Choose among {', '.join(sorted(scheduled))}, write `{OFF}`, or leave it empty for all.",
        )
    return scheduled - wanted


def without_schedules(text: str, names: Set[str]) -> str:
    """The same file, in which those deployments have none. Variables stay as they are."""
    document = yaml.safe_load(text)
    for deployment in _deployments(document):
        if deployment["name"] in names:
            deployment["schedules"] = []
    return yaml.safe_dump(document, sort_keys=False)


def _deployments(document: dict[str, Any]) -> list[dict[str, Any]]:
    return document["deployments"]
