"""Prefect's own variables, from our settings: beyond the embedded stack no profile has them.

A server's worker and every run of its need the same; they are set in a process for itself and its children.
"""

from api.core.errors import Refused
from api.settings import ServiceSettings

LOGIN = "PREFECT_API_AUTH_STRING"


def prefect_environment(service: ServiceSettings) -> dict[str, str]:
    """Raises `Refused` without FIRSTUSER_PREFECT_API_URL."""
    if not service.prefect_api_url:
        raise Refused(
            "FIRSTUSER_PREFECT_API_URL is not set.",
            fix="Set it to the server's address, up to and with /api.",
        )
    login = {LOGIN: service.prefect_auth.get_secret_value()} if service.prefect_auth else {}
    return login | {
        "PREFECT_API_URL": service.prefect_api_url,
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
        "DO_NOT_TRACK": "1",
    }
