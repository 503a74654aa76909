"""OpenVINO's errors, in a line."""

from __future__ import annotations


def reason_of(error: BaseException) -> str:
    """Return the telling line of OpenVINO's errors: the last, after the places in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("Exception from")]
    return (telling or lines or [type(error).__name__])[-1].removeprefix("-- ")[:400]
