"""A real S3 server (nanio, signature v4) for the tests that speak S3."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import httpx
from pydantic import SecretStr

from api.settings.store import StoreSettings
from deployments.bench.places import free_port

ACCESS, SECRET, BUCKET = "test-access", "test-secret-key", "backups"


@contextmanager
def s3_server() -> Iterator[StoreSettings]:
    """A running server with a fresh bucket, and the settings of a store in it."""
    port = free_port()
    command = [sys.executable, "-m", "nanio", "serve", "--data-dir"]
    with tempfile.TemporaryDirectory(prefix="firstuser-s3-") as folder:
        server = subprocess.Popen(
            [*command, folder, "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, "NANIO_ACCESS_KEY": ACCESS, "NANIO_SECRET_KEY": SECRET},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _wait(endpoint)
            boto3.client(
                "s3",
                endpoint_url=endpoint,
                region_name="us-east-1",
                aws_access_key_id=ACCESS,
                aws_secret_access_key=SECRET,
            ).create_bucket(Bucket=BUCKET)
            yield store_settings(endpoint)
        finally:
            server.terminate()
            server.wait(10)


def store_settings(endpoint: str, prefix: str = "tests", secret: str = SECRET) -> StoreSettings:
    return StoreSettings.model_construct(
        url=f"s3://{BUCKET}/{prefix}",
        s3_endpoint_url=endpoint,
        region="us-east-1",
        access_key_id=ACCESS,
        secret_access_key=SecretStr(secret),
    )


def _wait(endpoint: str) -> None:
    """Any answer will do: a request without credentials is refused by a server that runs."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(endpoint, timeout=1, trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError("the S3 server did not start")
