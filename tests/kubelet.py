"""What a kubelet does with a container before it starts it, for tests that start its program themselves."""

from __future__ import annotations

import re
from typing import Any


def expanded(container: dict[str, Any]) -> dict[str, Any]:
    """Return the container with the values of its variables in place of `$(NAME)`."""
    values: dict[str, str] = {}
    for entry in container.get("env", ()):
        values[entry["name"]] = _expand(entry["value"], values)
    changed: dict[str, Any] = {
        field: [_expand(text, values) for text in container[field]]
        for field in ("command", "args")
        if field in container
    }
    env = [{"name": name, "value": value} for name, value in values.items()]
    return {**container, **changed, **({"env": env} if env else {})}


def _expand(text: str, values: dict[str, str]) -> str:
    """Return the text with variables expanded; an unknown name stays as it is."""
    return re.sub(r"\$\((\w+)\)", lambda found: values.get(found[1], found[0]), text)
