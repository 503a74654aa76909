"""An address with its port, as URLs and HAProxy write it."""

from __future__ import annotations


def endpoint(address: str, port: int | str) -> str:
    """Return ADDRESS:PORT, with brackets around an address that has colons itself."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
