"""What AWS answers, in the product's words. Its messages may quote a value, so only its codes are shown."""

from collections.abc import Generator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from api.core.errors import FirstUserError, ProviderError, Rejected, TimedOut, Unavailable

_BUSY = {
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TooManyUpdates",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "LimitExceededException",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_NOT_ALLOWED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_UNKNOWN = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException",
}


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def answers(provider: str, operation: str, action: str) -> Generator[None]:
    """Translate what boto3 raises inside the block. `action` as IAM writes it."""
    try:
        yield
    except ClientError as error:
        raise _translated(error, provider, operation, action) from None
    except NoCredentialsError:
        fix = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the task a role."
        raise _error(Rejected, provider, operation, "has no credentials to ask with", fix) from None
    except ParamValidationError:
        fix = "Compare the names and ids in the settings with AWS's: one has a form that AWS does not take."
        raise _error(Rejected, provider, operation, "was not asked: AWS takes no such value", fix) from None
    except ReadTimeoutError:
        raise _error(TimedOut, provider, operation, "gave no answer in time") from None
    except (ConnectTimeoutError, BotoCoreError) as error:
        said = f"cannot be reached ({type(error).__name__})"
        raise _error(Unavailable, provider, operation, said, "Check AWS_REGION and the network.") from None


def _translated(error: ClientError, provider: str, operation: str, action: str) -> FirstUserError:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _BUSY or status in {429, 503}:
        return _error(Unavailable, provider, operation, f"answered {code or status}")
    if status >= 500:
        return _error(TimedOut, provider, operation, f"answered {code or status}")
    if code in _EXPIRED:
        return _error(Rejected, provider, operation, "says that the credentials have expired", "Renew them.")
    if code in _NOT_ALLOWED or "KMS" in code:
        fix = f"Allow {action}, and the key that it is encrypted with; docs/providers has the policy."
        return _error(Rejected, provider, operation, f"does not allow it ({code})", fix)
    if code in _UNKNOWN:
        fix = "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION."
        return _error(Rejected, provider, operation, f"does not know the credentials ({code})", fix)
    return _error(Rejected, provider, operation, f"refused: {code or status}")


def _error(
    kind: type[ProviderError], provider: str, operation: str, said: str, fix: str = ""
) -> ProviderError:
    return kind(f"{provider} {said}.", provider=provider, operation=operation, fix=fix)
