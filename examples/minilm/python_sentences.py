"""Collects real English sentences from Python's own documentation, as any installation carries it.

They come from `pydoc`'s topics, which are the language reference, and, as far as these don't
suffice, from the docstrings of the standard library's modules: text about few subjects, so that the
nearest neighbor of a sentence says the same thing and is not just any other. Sources are only
read, never imported. The same Python version gives the same sentences.
"""

import ast
import hashlib
import pydoc_data.topics
import re
import sysconfig
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

SKIPPED_FOLDERS = {
    "test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "turtledemo",
}  # fmt: skip
WORDS = range(7, 41)
"""A sentence has that many words: shorter ones are headings, longer ones are mostly lists."""

LEAST_PROSE = 0.8
"""Share of a sentence's characters that are letters, spaces or commas; below it is code."""

SENTENCE_END = re.compile(r"(?<=[a-z)\"][.])\s+(?=[A-Z\"])")
NOT_PROSE = re.compile(r">>>|::|https?:|New in version|Changed in version")
BULLET = re.compile(r"^(\*|\d+\.|--) +")


def collect_sentences(count: int) -> list[str]:
    """Return that many different sentences, mixed so that neighbors come from different pages.

    Raises:
        ValueError: This Python carries fewer; its documentation was stripped.
    """
    found = list(islice(_different(chain(_topics(), _docstrings())), count))
    if len(found) < count:
        raise ValueError(
            f"only {len(found)} of {count} sentences found: this Python was installed without"
            " its documentation (docstrings and pydoc topics)"
        )
    return sorted(found, key=lambda sentence: hashlib.sha256(sentence.encode()).digest())


def _different(texts: Iterable[str]) -> Iterator[str]:
    seen = set()
    for text in texts:
        for sentence in _sentences(text):
            letters = re.sub(r"[^a-z]", "", sentence.lower())
            if letters not in seen:
                seen.add(letters)
                yield sentence


def _topics() -> Iterator[str]:
    for name in sorted(pydoc_data.topics.topics):
        yield pydoc_data.topics.topics[name]


def _docstrings() -> Iterator[str]:
    library = Path(sysconfig.get_path("stdlib"))
    for file in sorted(library.rglob("*.py")):
        if not SKIPPED_FOLDERS & set(file.relative_to(library).parts):
            yield ast.get_docstring(ast.parse(file.read_bytes())) or ""


def _sentences(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        joined = BULLET.sub("", " ".join(paragraph.split()))
        yield from filter(_is_prose, SENTENCE_END.split(joined))


def _is_prose(sentence: str) -> bool:
    if not re.match(r"[A-Z\"]", sentence) or not sentence.endswith("."):
        return False
    prose = sum(character.isalpha() or character in " ," for character in sentence)
    return (
        len(sentence.split()) in WORDS
        and prose >= LEAST_PROSE * len(sentence)
        and not NOT_PROSE.search(sentence)
    )
