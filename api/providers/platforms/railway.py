"""Railway's GraphQL API for one service in one environment: its variables, and any query.

Changes are made with `skipDeploys`: a deploy comes when hosting asks for it. A variable is emptied and not
deleted: a deletion cannot skip the deploy, and the settings take an empty variable for none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from api.core.errors import ProviderError, Rejected, Unavailable
from api.providers.http import VendorHttp
from api.providers.platforms.answers import object_of, objects_of, text_of

PATIENCE_S = 60.0
VARIABLES = """
query variables($projectId: String!, $environmentId: String!, $serviceId: String) {
  variables(projectId: $projectId, environmentId: $environmentId, serviceId: $serviceId, unrendered: true)
}"""
UPSERT = """
mutation variableCollectionUpsert($input: VariableCollectionUpsertInput!) {
  variableCollectionUpsert(input: $input)
}"""
_EXHAUSTED = "rate limit"


class Railway:
    name = "railway"

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        place: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`headers` with the token, see `token_header`; `place`: projectId, environmentId, serviceId."""
        secrets = [value.removeprefix("Bearer ") for value in headers.values()]
        self.http = VendorHttp(
            self.name, url, secrets=secrets, headers=dict(headers), transport=transport, patience_s=PATIENCE_S
        )
        self.place = dict(place)

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        found = object_of(self.query("read variables", VARIABLES, self.place), "variables")
        return {name: value for name in names if (value := text_of(found, name))}

    def set(self, changes: Mapping[str, str | None]) -> None:
        """All at once."""
        values = {name: value or "" for name, value in changes.items()}
        given = {"variables": values, "replace": False, "skipDeploys": True}
        done = self.query(
            "set variables",
            UPSERT,
            {"input": {**self.place, **given}},
            hide=[v for v in values.values() if v],
        )
        if done.get("variableCollectionUpsert") is not True:
            raise self.http.error(Rejected, "set variables", "did not take the variables")

    def query(
        self,
        operation: str,
        text: str,
        variables: Mapping[str, Any],
        hide: Sequence[str] = (),
        *,
        repeatable: bool = True,
    ) -> dict[str, Any]:
        """The answer's `data`. Errors come with status 200, too. Not `repeatable`: what starts a deploy."""
        body = {"query": text, "variables": dict(variables)}
        answer = self.http.call(operation, "POST", "", repeatable=repeatable, json=body, hide=hide)
        document = self.http.json(operation, answer)
        errors = [text_of(one, "message") for one in objects_of(document, "errors")]
        if errors:
            raise self._refused(operation, "; ".join(errors), hide)
        return object_of(document, "data")

    def _refused(self, operation: str, said: str, hide: Sequence[str]) -> ProviderError:
        if _EXHAUSTED in said.lower():
            return self.http.error(Unavailable, operation, f"refused: {said}", hide=hide)
        fix = "Check the token and the ids of project, environment and service." if "uthor" in said else ""
        return self.http.error(Rejected, operation, f"refused: {said}", fix, hide)


def token_header(project_token: str | None, api_token: str | None) -> dict[str, str]:
    """A token of one project's environment, which is the narrower one, or else one of a person or team."""
    if project_token:
        return {"Project-Access-Token": project_token}
    return {"Authorization": f"Bearer {api_token}"} if api_token else {}
