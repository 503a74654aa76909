"""Rules that a schema can't say, written once for both who check them.

A `Rule` holds a CEL expression, which `skerry.api.crd` writes into the CRD for the API server, and
the same test in Python, which pydantic runs. `ListMap` does so for lists whose items are identified
by keys. Tests hold both sides against each other: what one refuses, the other refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel
from pydantic_core import core_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True)
class Rule:
    """What must hold for a value: of a model (in its `invariants`) or of a field (in `Annotated`).

    Attributes:
        expression: CEL; `self` is the value, `oldSelf` the one before for a transition.
        message: What is wrong and what to write instead, for people.
        check: The same in Python, truthy when it holds; None for a transition, which one value
            can't show.
        field: The model's field to blame, in camelCase; empty blames the whole value.
    """

    expression: str
    message: str
    check: Callable[[Any], object] | None = None
    field: str = ""

    def enforce(self, value: Any) -> None:
        """Raise ValueError with the message when the value breaks the rule."""
        if self.check is not None and not self.check(value):
            raise ValueError(f"{self.field}: {self.message}" if self.field else self.message)

    def to_schema(self) -> dict[str, str]:
        """Return the rule as an entry of x-kubernetes-validations."""
        entry = {"rule": self.expression, "message": self.message}
        return entry | {"fieldPath": f".{self.field}"} if self.field else entry

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Make pydantic check a field that carries this rule."""
        return core_schema.no_info_after_validator_function(self._passed, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Put the rule into the schema of a field that carries it."""
        return with_rules(handler(schema), (self,))

    def _passed(self, value: Any) -> Any:
        self.enforce(value)
        return value


@dataclass(frozen=True)
class ListMap:
    """Marks a list as a map: no two items have the same keys, and server-side apply merges by them.

    Attributes:
        keys: Names of the items' attributes, each required or with a default.
    """

    keys: tuple[str, ...]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Make pydantic refuse duplicates."""
        return core_schema.no_info_after_validator_function(self._unique, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say so in the schema."""
        return handler(schema) | {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": [to_camel(key) for key in self.keys],
        }

    def _unique(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        seen = set()
        for item in items:
            key = tuple(getattr(item, name) for name in self.keys)
            if key in seen:
                shown = ", ".join(
                    f"{to_camel(n)}: {v}" for n, v in zip(self.keys, key, strict=True)
                )
                raise ValueError(f"Duplicate value: {shown}")
            seen.add(key)
        return items


def with_rules(schema: JsonSchemaValue, rules: Iterable[Rule]) -> JsonSchemaValue:
    """Return the schema with the rules added after those that it has."""
    added = [rule.to_schema() for rule in rules]
    return schema | {VALIDATIONS: [*schema.get(VALIDATIONS, []), *added]} if added else schema
