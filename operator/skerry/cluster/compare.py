"""Is a write needed at all? The rendered object compared with what is there.

The API server adds defaults and writes quantities its own way, so a rendered object equals a present
one when all that it says stands there. What it no longer says must be gone too: own kinds are
compared whole, because there every default is in the rendered object already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry.api.common import API_VERSION
from skerry.api.units import parse_quantity

if TYPE_CHECKING:
    from skerry.cluster.client import Object

_METADATA = ("labels", "annotations", "ownerReferences")


def is_applied(rendered: Object, present: Object | None) -> bool:
    """Return whether applying `rendered` would change nothing."""
    if present is None:
        return False
    metadata = {key: rendered["metadata"][key] for key in _METADATA if key in rendered["metadata"]}
    if not contains(present["metadata"], metadata):
        return False
    rest = {key: value for key, value in rendered.items() if key not in ("metadata", "status")}
    if rendered.get("apiVersion") == API_VERSION:
        return bool(present.get("spec") == rest.get("spec"))
    return contains(present, rest)


def contains(present: Any, wanted: Any) -> bool:
    """Return whether `present` has all that `wanted` says; lists must have the same length."""
    if isinstance(wanted, dict):
        return isinstance(present, dict) and all(
            key in present and contains(present[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(present, list)
            and len(present) == len(wanted)
            and all(contains(a, b) for a, b in zip(present, wanted, strict=True))
        )
    return bool(present == wanted) or _same_quantity(present, wanted)


def _same_quantity(present: Any, wanted: Any) -> bool:
    if not (isinstance(present, str) and isinstance(wanted, str)):
        return False
    try:
        return parse_quantity(present) == parse_quantity(wanted)
    except ValueError:
        return False
