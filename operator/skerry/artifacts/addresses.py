"""Addresses that a registry names: which of them the operator asks, and which will never answer."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSIDE = ("localhost", "local", "internal", "svc", "home.arpa")
"""Ends of names that mean something in this cluster or network alone."""
_LEAST_LABELS = 2


def may_send_to(registry: str, other: str) -> bool:
    """Return whether a registry may send its clients to another host for a token.

    To itself, to a host of its own domain, and to any host by a public name: not to addresses inside the
    cluster or its network, of which a stranger's registry could learn something.

    Args:
        registry: its host, without the port.
        other: the host that it names.
    """
    if not other:
        return False
    if other == registry:
        return True
    if _is_address(other):
        return False
    domain = registry.partition(".")[2]
    same = "." in domain and other.endswith(f".{domain}")
    return same or _is_public_name(other)


def never_answers(error: BaseException) -> bool:
    """Return whether a failed connection would fail again: no such host, no trusted certificate, no TLS at all."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return True
        if isinstance(cause, socket.gaierror):
            return cause.errno != socket.EAI_AGAIN
    return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_public_name(host: str) -> bool:
    labels = host.rstrip(".").lower().split(".")
    name = ".".join(labels)
    inside = any(name == end or name.endswith(f".{end}") for end in _INSIDE)
    return len(labels) >= _LEAST_LABELS and not labels[-1].isdigit() and not inside


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
