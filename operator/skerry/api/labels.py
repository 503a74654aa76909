"""Node labels in selectors: their syntax, checked by the API server and by pydantic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from skerry.api.rules import Rule

MAX_KEY_LENGTH = 253
LABEL_KEY = r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"

OWN_PREFIX = "skerry.node-restriction.kubernetes.io/"

MAX_VALUE_LENGTH = 63
MAX_LABELS = 4

LabelValue = Annotated[str, Field(pattern=LABEL_VALUE, max_length=MAX_VALUE_LENGTH)]

Selector = tuple[tuple[str, str], ...]
"""Node labels, all of which a node carries: sorted pairs of key and value."""


def _pairs(value: Any) -> Any:
    """Return a mapping as sorted pairs, which can be compared and hashed; anything else as it is."""
    return tuple(sorted(value.items())) if isinstance(value, Mapping) else value


NodeSelector = Annotated[
    tuple[tuple[str, LabelValue], ...],
    Field(min_length=1, max_length=MAX_LABELS),
    BeforeValidator(_pairs),
    PlainSerializer(dict, return_type=dict[str, str]),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_LABELS,
            "additionalProperties": {
                "type": "string",
                "pattern": LABEL_VALUE,
                "maxLength": MAX_VALUE_LENGTH,
            },
        }
    ),
]
"""A `Selector` that is an object on the wire."""


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Return whether the labels hold all pairs of the selector."""
    return all(labels.get(key) == value for key, value in selector)


def node_selector_rules(unset: str = "") -> tuple[Rule, Rule]:
    """Return the rules for a field `nodeSelector`: its keys are node labels, and none is Skerry's own.

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
