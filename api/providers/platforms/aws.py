"""boto3 clients by the settings."""

from typing import Any

from api.settings import Settings


def client(settings: Settings, service: str) -> Any:
    # Imported where AWS is asked for: it costs other processes a third of a second and 30 MB.
    import boto3
    from botocore.config import Config

    keys, token = settings.store, settings.platforms.aws_session_token
    secret = keys.secret_access_key
    return boto3.client(
        service,
        endpoint_url=settings.platforms.aws_endpoint_url or None,
        region_name=keys.region,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=(secret.get_secret_value() if secret else "") or None,
        aws_session_token=(token.get_secret_value() if token else "") or None,
        config=Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 4, "mode": "standard"}),
    )
