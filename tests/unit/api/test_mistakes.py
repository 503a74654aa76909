"""Words for what pydantic refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.api import EdgeModel, HardwareClass
from skerry.api.crd import open_api_schema
from skerry.api.mistakes import FORMS

if TYPE_CHECKING:
    from collections.abc import Iterator


def patterns(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    if "pattern" in schema:
        yield path, schema["pattern"]
    for name, part in schema.get("properties", {}).items():
        yield from patterns(part, f"{path}.{name}")
    for part in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            yield from patterns(part, f"{path}[]")


@pytest.mark.parametrize("kind", [EdgeModel, HardwareClass], ids=lambda kind: kind.__name__)
def test_what_people_write_has_a_form_in_words(kind: type[EdgeModel | HardwareClass]) -> None:
    spec = open_api_schema(kind)["properties"]["spec"]
    without = {path: one for path, one in patterns(spec, "spec") if one not in FORMS}
    assert not without
