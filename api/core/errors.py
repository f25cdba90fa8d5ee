"""The errors of the product: the class says what happened, `retryable` whether trying again can help.

`FirstUserError`   every refusal the product utters on purpose
  `NotFound`       the thing does not exist, or not for this caller
  `Conflict`       the state forbids it now (a second drill, a used name)
  `Expired`        it was valid once
  `Refused`        it is not allowed, or the input is not acceptable
  `ProviderError`  something outside the process failed, with `provider` and `operation`
    `Unavailable`  it could not be reached or is not ready: retry
    `Rejected`     it answered no: do not retry
    `TimedOut`     no answer in time: the effect is unknown, re-read before retrying

Every error carries `fix`: what the reader can do about it. The door decides on a status or exit code.
"""


class FirstUserError(Exception):
    """A refusal with its remedy. `code` is the stable name that callers may depend on."""

    code = "error"
    retryable = False

    def __init__(self, message: str, *, fix: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".strip()


class NotFound(FirstUserError):
    code = "not_found"


class Conflict(FirstUserError):
    code = "conflict"


class Expired(FirstUserError):
    code = "expired"


class Refused(FirstUserError):
    code = "refused"


class ProviderError(FirstUserError):
    code = "provider_error"

    def __init__(self, message: str, *, provider: str, operation: str, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.provider = provider
        self.operation = operation


class Unavailable(ProviderError):
    """`wait_s`: how long the provider asked for patience, when it did."""

    code = "provider_unavailable"
    retryable = True
    wait_s: float | None = None


class Rejected(ProviderError):
    """`status`: the HTTP status that said no, where there was one."""

    code = "provider_rejected"
    status: int | None = None


class TimedOut(ProviderError):
    code = "provider_timed_out"
    retryable = True
