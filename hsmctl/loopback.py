"""Whether a URL leads to this machine, in all the ways of writing that: the lab lives here and nothing else may."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from hsmctl.errors import UsageError


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine: a name of it, a loopback address however written, or 0.0.0.0.

    Raises:
        UsageError: it is no http or https URL.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = None, None
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"endpoint {url}", "it is no http or https URL", "--endpoint-url https://HOST")
    return _is_local_host(host)


def _is_local_host(host: str) -> bool:
    try:
        # inet_aton reads 127.1 and 0x7f000001 as the resolver does.
        address = ip_address(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        try:
            address = ip_address(host)
        except ValueError:
            return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified
