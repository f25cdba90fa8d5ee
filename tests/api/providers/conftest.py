"""One S3 server for all tests of providers."""

from collections.abc import Iterator

import pytest

from api.settings.store import StoreSettings
from tests.s3 import s3_server


@pytest.fixture(scope="session")
def s3_settings() -> Iterator[StoreSettings]:
    """Settings of a store in a fresh bucket."""
    with s3_server() as settings:
        yield settings
