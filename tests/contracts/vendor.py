"""What an adapter says and a fake answers, held against the vendor's own API description.

The descriptions lie in a folder `shared/specs` beside the checkout, or further up; without it nothing here
can be compared. Requests are closed (a misspelt field is an error), answers open: vendors add fields."""

import json
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

FORM = "application/x-www-form-urlencoded"


class Vendor:
    def __init__(self, description: Path) -> None:
        document = json.loads(description.read_text())
        self._closed = OpenAPI.from_dict(
            document, config=Config(additional_properties_default_policy="forbid")
        )
        self._open = OpenAPI.from_dict(document)
        self._host = document["servers"][0]["url"]

    def check(self, request: httpx.Request, response: httpx.Response) -> None:
        """Raises openapi-core's error when either is not as described."""
        asked = self._request(request)
        self._closed.validate_request(asked)
        if asked.content_type == FORM:  # of a form, openapi-core drops what is too much
            fields = json.dumps(dict(parse_qsl(request.content.decode()))).encode()
            self._closed.validate_request(self._request(request, fields, "application/json"))
        if response.content:
            kind = response.headers.get("content-type", "").partition(";")[0]
            given = MockResponse(response.content, response.status_code, dict(response.headers), kind)
            self._open.validate_response(asked, given)

    def _request(
        self, request: httpx.Request, content: bytes | None = None, kind: str | None = None
    ) -> MockRequest:
        return MockRequest(
            self._host,
            request.method.lower(),
            request.url.path,
            args=dict(request.url.params),
            headers=dict(request.headers),
            data=content or request.content,
            content_type=kind or request.headers.get("content-type", "").partition(";")[0],
        )


def vendor(name: str) -> Vendor:
    return Vendor(specs() / f"{name}.json")


def specs(start: Path = Path(__file__)) -> Path:
    """The folder of the descriptions; skips where there is none."""
    for folder in start.parents:
        if (folder / "shared" / "specs").is_dir():
            return folder / "shared" / "specs"
    pytest.skip("the vendors' API descriptions are not beside this checkout")
