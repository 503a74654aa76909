"""The pages hold together: generated parts are fresh, links lead somewhere, blocks say where they run."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from docs.tools.__main__ import DOCS, files, stale
from docs.tools.blocks import BlockError, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = DOCS.parent
PAGES = sorted(path for path in DOCS.rglob("*.md") if "adr" not in path.parts)
README = ROOT / "README.md"


def test_generated_pages_are_fresh() -> None:
    assert stale() == [], "run: make docs"
    assert {path.name for path in files()} >= {"edgemodel.md", "commands.md", "device.svg"}


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in _links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in _anchors(target), f"{page}: {link}; there are {_anchors(target)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_every_block_says_where_it_runs(page: Path) -> None:
    blocks(page)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```sh\nls\n```", "page.md:1: a sh block says where it runs: test=cluster"),
        ("\n```sh test=mars\nls\n```", "page.md:2: a sh block says"),
        ("```sh test=none\nls\n```", "page.md:1: say why it is not run"),
        ("- a list\n\n  ```python\n  1\n  ```", "page.md:3: a python block says"),
    ],
)
def test_a_block_that_says_nothing_is_reported(tmp_path: Path, text: str, message: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(BlockError, match=re.escape(message)):
        blocks(page)


def test_what_is_not_run_is_little(capsys: pytest.CaptureFixture[str]) -> None:
    """Listed, whatever pytest captures; a page that has more and more of these is no longer tested."""
    found = [block for page in PAGES for block in blocks(page)]
    unrun = {
        f"{b.page.relative_to(DOCS)}:{b.line}": b.marks["reason"]
        for b in found
        if b.where == "none"
    }
    with capsys.disabled():
        for where, reason in unrun.items():
            print(f"\nnot run: {where}: {reason}", end="")  # noqa: T201 - for the report
    run = [block for block in found if block.language in {"sh", "python", "yaml"}]
    assert len(unrun) < len(run) / 4


def _links(page: Path) -> Iterator[str]:
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        for child in token.children or ():
            link = child.attrGet("href") or child.attrGet("src")
            if isinstance(link, str) and "://" not in link:
                yield link


def _anchors(page: Path) -> set[str]:
    """Return the names of a page's headings, as Git hosts make them."""
    if page.suffix != ".md":
        return set()
    tokens = MarkdownIt().parse(page.read_text())
    pairs = itertools.pairwise(tokens)
    titles = [inline.content for one, inline in pairs if one.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
