"""Cloudflare: what is asked of it is as it describes it. Its description is of 2024, and some of its answers
no longer fit it: what the fake answers is compared where they do."""

import httpx
import pytest
from openapi_core.exceptions import OpenAPIError

from api.providers.edge.cloudflare import Cloudflare
from tests.contracts.vendor import vendor
from tests.platforms.cloudflare import HOST, ZONE, FakeCloudflare
from tests.platforms.fake import TOKEN, on_loopback

ADDRESS = "https://api.cloudflare.com"


def test_cloudflare_is_asked_and_answers_as_described() -> None:
    description = vendor("cloudflare")
    with on_loopback(FakeCloudflare()) as fake:
        api = Cloudflare(f"{fake.url}/", TOKEN, ZONE)
        api.zone()
        api.edge(HOST)
        api.check_access()
        api.purge()
    assert len(fake.asked) > 8
    for request, response in zip(fake.asked, fake.given, strict=True):
        assert response is not None
        url = f"{ADDRESS}{request.url.raw_path.decode()}"
        sent = httpx.Request(request.method, url, headers=request.headers, content=request.content)
        described = "dns_records" not in url
        description.check(sent, response if described else httpx.Response(204))
    wrong = httpx.Request("POST", url, headers=request.headers, json={"purge_all": True})
    with pytest.raises(OpenAPIError):
        description.check(wrong, httpx.Response(200, json={}))
