"""What S3 answers, in the product's words: missing, refused, or not reachable."""

from collections.abc import Generator
from contextlib import contextmanager

import zstandard
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from api.core.errors import FirstUserError, NotFound, Rejected, Unavailable

PROVIDER = "s3"
_MISSING = {"NoSuchKey", "404", "NotFound"}
_CREDENTIALS = {
    "403",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidToken",
}


@contextmanager
def answers(operation: str, what: str) -> Generator[None]:
    """Translate what boto3 raises inside the block."""
    try:
        yield
    except ClientError as error:
        raise _translated(error, operation, what) from error
    except NoCredentialsError as error:
        raise _no_access("no credentials are set", operation) from error
    except zstandard.ZstdError as error:
        raise broken(what, error) from error
    except (BotoCoreError, ConnectionError) as error:
        raise Unavailable(
            f"S3 could not be reached to {operation} {what}: {error}",
            provider=PROVIDER,
            operation=operation,
            fix="Check FIRSTUSER_S3_ENDPOINT_URL and the network.",
        ) from error


def _translated(error: ClientError, operation: str, what: str) -> FirstUserError:
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _MISSING:
        return NotFound(f"The store holds no {what}.", fix="List the store: it may have been pruned.")
    if code == "NoSuchBucket":
        return Rejected(
            "The bucket does not exist.",
            provider=PROVIDER,
            operation=operation,
            fix="Create it, or correct FIRSTUSER_STORE_URL.",
        )
    if code in _CREDENTIALS or status in {401, 403}:
        return _no_access(code or str(status), operation)
    if status >= 500 or code in {"SlowDown", "RequestTimeout", "Throttling"}:
        return Unavailable(
            f"S3 answered {code or status} when asked to {operation} {what}.",
            provider=PROVIDER,
            operation=operation,
            fix="Wait until the store is well (its status page), and start again.",
        )
    return Rejected(
        f"S3 refused to {operation} {what}: {code or status}.", provider=PROVIDER, operation=operation
    )


def broken(what: str, error: Exception | str) -> Rejected:
    """What is stored cannot be what was put there."""
    return Rejected(
        f"The stored object {what} is damaged: {error}.",
        provider=PROVIDER,
        operation="get",
        fix="Restore from another backup chain, and find out what wrote into the bucket.",
    )


def _no_access(reason: str, operation: str) -> Rejected:
    return Rejected(
        f"S3 does not accept the credentials ({reason}).",
        provider=PROVIDER,
        operation=operation,
        fix="Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and the rights on the bucket.",
    )
