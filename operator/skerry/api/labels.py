"""Node labels in selectors: their syntax, checked by the API server and by pydantic."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from skerry.api.rules import Rule

MAX_KEY_LENGTH = 253
LABEL_KEY = r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"

OWN_PREFIX = "skerry.node-restriction.kubernetes.io/"

LabelValue = Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]


def node_selector_rules(unset: str = "") -> tuple[Rule, Rule]:
    """The rules for a field `nodeSelector`: its keys are node labels, and none is Skerry's own.

    Args:
        unset: CEL that holds where the field may be left out and is, with "||" behind it.
    """
    return (
        Rule(
            f"{unset}self.nodeSelector.all(key,"
            f" key.matches('^{LABEL_KEY}$') && size(key) <= {MAX_KEY_LENGTH})",
            "every key must be a valid label key, such as kubernetes.io/arch",
            lambda value: all(
                re.fullmatch(LABEL_KEY, key) and len(key) <= MAX_KEY_LENGTH
                for key in value.node_selector or {}
            ),
            "nodeSelector",
        ),
        Rule(
            f"{unset}!self.nodeSelector.exists(key, key.startsWith('{OWN_PREFIX}'))",
            f"must not use labels {OWN_PREFIX}*: Skerry sets them itself",
            lambda value: not any(key.startswith(OWN_PREFIX) for key in value.node_selector or {}),
            "nodeSelector",
        ),
    )
