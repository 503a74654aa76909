"""Each kind of models that the docs name is shown by a test."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from docs.tools.__main__ import DOCS
from tests.model_kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator


def shown() -> Iterator[str]:
    """Yield what the tests name by `shows`."""
    for file in sorted((DOCS.parent / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "shows":
                yield from (ast.literal_eval(one) for one in node.args)


def test_each_kind_is_shown_by_a_test() -> None:
    assert set(shown()) == KINDS.keys()
