"""The certificate that a host presents, verified as a browser would. Nothing here raises."""

import socket
import ssl
from datetime import UTC, datetime
from typing import Any

from api.core.preflight.judging.service import Certificate

TIMEOUT_S = 8.0


def certificate(host: str, port: int, authorities: ssl.SSLContext | None = None) -> Certificate:
    """`authorities` are believed; the machine's own by default."""
    context = authorities or ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), timeout=TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            presented: Any = secured.getpeercert()
    except ssl.SSLCertVerificationError as error:
        return Certificate(problem=f"not trusted: {error.verify_message}")
    except ssl.SSLError as error:
        return Certificate(problem=f"no TLS there ({error.reason or 'handshake failed'})")
    except TimeoutError:
        return Certificate(problem=f"no answer in {TIMEOUT_S:.0f} s")
    except OSError as error:
        return Certificate(problem=f"no connection ({type(error).__name__})")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(presented["notAfter"]), UTC)
    return Certificate(not_after=ends, issuer=_name(presented.get("issuer", ())))


def _name(issuer: Any) -> str:
    facts = dict(pair for relative in issuer for pair in relative)
    return str(facts.get("organizationName") or facts.get("commonName") or "an unnamed issuer")
