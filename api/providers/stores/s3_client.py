"""A client of the object store that the settings name, Amazon's or one that speaks like it."""

from typing import Any

import boto3
from botocore.config import Config

from api.settings.store import StoreSettings


def s3_client(settings: StoreSettings, **more: Any) -> Any:
    """`more` is added to botocore's `Config`."""
    secret = settings.secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"max_attempts": 4, "mode": "standard"},
            s3={"addressing_style": "path" if settings.s3_endpoint_url else "auto"},
            **more,
        ),
    )
