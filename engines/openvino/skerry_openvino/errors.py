"""OpenVINO's errors, in a line."""

from __future__ import annotations

import re

_NODE = re.compile(r"with friendly_name '([^']+)'")


def reason_of(error: BaseException) -> str:
    """Return the telling line of OpenVINO's errors: the last, after the places in its sources.

    The node stands in a line of its own before it.
    """
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("Exception from")]
    reason = (telling or lines or [type(error).__name__])[-1].removeprefix("-- ")
    nodes = _NODE.findall(text)
    named = f"node `{nodes[-1]}`: {reason}" if nodes and nodes[-1] not in reason else reason
    return named[:400]
