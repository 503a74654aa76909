"""Docstrings, comments, messages and names use the words of docs/contributing/words.md too."""

from __future__ import annotations

import ast
import io
import tokenize
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from docs.tools.__main__ import DOCS
from tests.unit.docs.words import found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ROOT = DOCS.parent
FOLDERS = (
    "operator",
    "agents",
    "images",
    "engines",
    "examples",
    "benchmarks",
    "charts",
    "docs",
    "tests",
)
LEFT_OUT = ("_pb2.py", "unit/docs/test_words.py", "unit/docs/test_words_in_code.py")
"""Generated modules, and the tests that quote the words."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_word_that_is_advised_against(folder: str) -> None:
    paths = list(_modules(ROOT / folder))
    assert paths
    faults = [f"{path.relative_to(ROOT)}:{fault}" for path in paths for fault in _faults(path)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ('"""It was taken\nback."""\n', ["taken back"]),
        ('f"{name} goes on beside {other}"\n', ["goes on", "beside"]),
        ("x = 1  # quantised\n", ["quantis"]),
        ("# It gets\n# by with less.\n", ["gets by with"]),
        ("def has_let_go() -> None: ...\n", ["let go"]),
        ("TOLD = _optimised\n", ["told", "optimis"]),
        ('"""See `told`."""\nlet = go = 1\n', []),
    ],
)
def test_words_are_looked_for_in_texts_comments_and_names(
    tmp_path: Path, code: str, words: list[str]
) -> None:
    path = tmp_path / "code.py"
    path.write_text(code)
    assert [fault.partition(" ")[2] for fault in _faults(path)] == words


def _modules(folder: Path) -> Iterator[Path]:
    """Yield the folder's modules without those that are left out."""
    for path in sorted(folder.rglob("*.py")):
        if not str(path).endswith(LEFT_OUT):
            yield path


def _faults(path: Path) -> list[str]:
    source = path.read_text()
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    parts = [*_texts(source), *_comments(tokens), *_names(tokens)]
    faults = [f"{line}: {word}" for line, text in parts for word in _found(text)]
    return list(dict.fromkeys(faults))


_found = cache(found)
"""Names come again and again."""


def _texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield docstrings and all other string literals; an f-string is one text."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str() as text):
                yield node.lineno, text
            case ast.JoinedStr(values=values):
                parts = (part.value if isinstance(part, ast.Constant) else "X" for part in values)
                yield node.lineno, "".join(map(str, parts))


def _comments(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[tuple[int, str]]:
    """Yield comments; those on consecutive lines are one text."""
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    numbered = enumerate(comments)
    for _, group in groupby(numbered, key=lambda item: item[1].start[0] - item[0]):
        block = [token for _, token in group]
        yield block[0].start[0], " ".join(token.string.strip("# ") for token in block)


def _names(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[tuple[int, str]]:
    """Yield names as the words that they consist of."""
    for token in tokens:
        if token.type == tokenize.NAME:
            yield token.start[0], token.string.replace("_", " ")
