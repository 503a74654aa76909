"""The words that docs/contributing/words.md advises against, and where they stand in a text."""

from __future__ import annotations

import re

from docs.tools.__main__ import DOCS

WORDS = DOCS / "contributing" / "words.md"
GAP, WHITE = re.escape(" "), r"\s+"


def found(text: str) -> list[str]:
    """Return the words of both lists in a text; what stands in backticks is code."""
    plain = re.sub(r"`[^`]*`", "", text)
    if not ANY.search(plain):
        return []
    return [word for word, pattern in (PHRASES | SPELLINGS).items() if pattern.search(plain)]


def _column(title: str) -> list[str]:
    """Return the words in the first column of a table of WORDS, without remarks in parentheses."""
    table = WORDS.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[1:]
    return [word for cell in cells for word in re.sub(r" \([^)]*\)", "", cell).split(", ")]


PHRASES = {
    word: re.compile(rf"\b{re.escape(word).replace(GAP, WHITE)}\b", re.IGNORECASE)
    for word in _column("Say it as the field does")
}
"""Whole words, also over the end of a line."""

SPELLINGS = {word: re.compile(word, re.IGNORECASE) for word in _column("American spelling")}
"""Stems, anywhere in a word."""

ANY = re.compile(
    "|".join(f"(?:{pattern.pattern})" for pattern in (PHRASES | SPELLINGS).values()), re.IGNORECASE
)
"""All of both at once: most texts hold none."""
