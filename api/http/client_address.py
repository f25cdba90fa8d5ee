"""Whose address a request comes from.

`X-Forwarded-For` and `X-Forwarded-Proto` count only when one of `FIRSTUSER_TRUSTED_PROXIES` sent them
(uvicorn's ProxyHeadersMiddleware, put in front by `api.app`); by then `scope["client"]` is the client.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import HTTPConnection

_IPV6_HOME = 64  # whoever has one address of such a network has all of them


def client_ip(request: HTTPConnection) -> str:
    """The client's address as the nearest trustworthy party knows it; "" when nobody says."""
    return request.client.host if request.client else ""


def client_network(request: HTTPConnection) -> str:
    """What limits count by: the IPv4 address, the /64 of an IPv6 address."""
    try:
        return str(_network(ip_address(client_ip(request))))
    except ValueError:
        return client_ip(request)


def _network(address: IPv4Address | IPv6Address) -> object:
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or ip_network((int(address), _IPV6_HOME), strict=False)
