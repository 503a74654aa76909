"""The fenced blocks of the documentation, and what their info strings say of where they run.

A block's first word is its language; what follows are words `KEY=VALUE`, quoted as in a shell:

    ```sh test=cluster          a control plane with an operator and devices that are played
    ```sh test=start            a cluster with kubelets; docs/start.md, literally and in its order
    ```sh test=none reason="…"  can't be run here; the tests list it
    ```yaml                     a manifest, which the API server must admit
    ```yaml test=values         values of the chart, which Helm and the API server must take
    ```python test=run          a program, run in the folder of the page's other blocks

Languages but these three are not run.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHELL, YAML, PYTHON = "sh", "yaml", "python"
PLACES: dict[str, frozenset[str | None]] = {
    SHELL: frozenset({"cluster", "start", "none"}),
    YAML: frozenset({None, "values", "none"}),
    PYTHON: frozenset({"run", "none"}),
}
"""Where a block of a language may say that it runs; None is to say nothing."""


class BlockError(ValueError):
    """A block says of itself what nobody understands; the message names page and line."""


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        line: of its first fence, from 1.
        marks: the words behind the language.
    """

    page: Path
    line: int
    language: str
    text: str
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str | None:
        """Where it runs."""
        return self.marks.get("test")

    @property
    def title(self) -> str:
        """As page:line."""
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> tuple[Block, ...]:
    """Return all fenced blocks of a page, in their order.

    Raises:
        BlockError: a block that is run says not where, or not why it isn't.
    """
    tokens = MarkdownIt().parse(page.read_text())
    fences = [token for token in tokens if token.type == "fence" and token.map]
    return tuple(
        _checked(page, token.map[0] + 1, token.info, token.content)
        for token in fences
        if token.map is not None
    )


def _checked(page: Path, line: int, info: str, text: str) -> Block:
    language, *words = shlex.split(info) or [""]
    marks = dict(word.partition("=")[::2] for word in words)
    block = Block(page, line, language, text, marks)
    places = PLACES.get(language)
    if places is None:
        return block
    if block.where not in places:
        known = ", ".join(sorted(f"test={place}" for place in places if place))
        raise BlockError(f"{block.title}: a {language} block says where it runs: {known}")
    if block.where == "none" and not marks.get("reason"):
        raise BlockError(f'{block.title}: say why it is not run: reason="..."')
    return block
