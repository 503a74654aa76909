"""The pages use the words of docs/contributing/words.md, and none of those that it advises against."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from docs.tools.__main__ import DOCS
from tests.unit.docs.words import PHRASES, SPELLINGS, WORDS, found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ROOT = DOCS.parent
FILES = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((DOCS / "how-to").glob("*.md")),
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "examples").glob("*/README.md")),
    ROOT / "charts" / "tools" / "README.tmpl.md",
    ROOT / "charts" / "skerry" / "values.yaml",
    *sorted((ROOT / "charts" / "skerry" / "templates").rglob("*.yaml")),
    *sorted((ROOT / "examples").rglob("*.yaml")),
    *sorted((ROOT / "crds").glob("*.yaml")),
)
DECISIONS = sorted((DOCS / "adr").glob("*.md"))
WIDTH = 120


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*FILES, *DECISIONS], ids=_name)
def test_no_word_that_is_advised_against(path: Path) -> None:
    faults = [f"{where}: {word}" for where, text in _prose(path) for word in found(text)]
    assert not faults, f"{_name(path)}: {'; '.join(faults)} (see {_name(WORDS)})"


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".md"], ids=_name)
def test_prose_is_wrapped(path: Path) -> None:
    lines = _without_code(path.read_text()).splitlines()
    long = [line for line in lines if len(line) > WIDTH and not line.startswith(("|", "!["))]
    assert not long


def test_both_lists_are_read() -> None:
    assert {"taken back", "of before", "wants"} <= PHRASES.keys()
    assert {"optimis", "behaviour"} <= SPELLINGS.keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It was taken\nback, and Goes on.", ["taken back", "goes on"]),
        ("See `kind: Neighbours`, [here](told.md) <!-- beside -->", []),
        ("```\nbeside\n```\nIt was unoptimised.", ["optimis"]),
        ("We wanted besides.", []),
    ],
)
def test_words_are_looked_for_in_prose_alone(tmp_path: Path, text: str, words: list[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert [word for _, part in _prose(page) for word in found(part)] == words


def test_comments_and_descriptions_are_prose(tmp_path: Path) -> None:
    values, crd = tmp_path / "values.yaml", tmp_path / "crds" / "kind.yaml"
    values.write_text("# A box beside\n# it.\ntold: beside  # no\n")
    assert list(_prose(values)) == [("a comment", "A box beside it.")]
    crd.parent.mkdir()
    crd.write_text("spec: {a: {description: Told., type: string}, b: [{description: Two}]}\n")
    assert list(_prose(crd)) == [("spec.a", "Told."), ("spec.b", "Two")]


def _prose(path: Path) -> Iterable[tuple[str, str]]:
    """Return what people read in a file, and where: Markdown without code, comments, descriptions."""
    text = path.read_text()
    if path.suffix == ".md":
        return _sections(_without_code(text))
    if path.parent.name == "crds":
        return _descriptions(yaml.safe_load(text), "")
    comments = re.findall(r"(?:^ *#.*\n)+", text, re.MULTILINE)
    lines = (re.findall(r"^ *#(.*)", comment, re.MULTILINE) for comment in comments)
    return [("a comment", " ".join(" ".join(said).split())) for said in lines]


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$|<!--.*?-->", "", text, flags=re.MULTILINE | re.DOTALL)


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield the prose under each heading, without the targets of links."""
    plain = re.sub(r"(?<=\])\([^)]*\)", "", text)
    for part in re.split(r"^(?=#)", plain, flags=re.MULTILINE):
        heading = part.partition("\n")[0] if part.startswith("#") else "before the first heading"
        yield heading.strip("# "), part


def _descriptions(node: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield every description below a node of YAML."""
    match node:
        case dict():
            if isinstance(node.get("description"), str):
                yield where, node["description"]
            for key, value in node.items():
                yield from _descriptions(value, f"{where}.{key}".strip("."))
        case list():
            for value in node:
                yield from _descriptions(value, where)
