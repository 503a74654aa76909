"""`python -m docs.tools` writes the generated files of docs/; with `--check` it names those that are stale."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs.tools import commands, index, kinds, metrics, models, pictures, reasons
from skerry.api import KINDS

DOCS = Path(__file__).parents[1]
HEADER = "<!-- Made by `make docs` from {source}. Edit it there. -->\n"


def files() -> dict[Path, str]:
    """Return text by path, for all generated files."""
    reference = DOCS / "reference"
    pages = {
        "README.md": ("docs/tools/index.py", index.render()),
        "commands.md": ("operator/skerry/cli/main.py", commands.render()),
        "metrics.md": ("the metrics of operator, agent and runtime", metrics.render()),
        "reasons.md": ("operator/skerry/api/reasons", reasons.render()),
        **{
            f"{kind.__name__.lower()}.md": (f"operator/skerry/api: {kind.__name__}", kinds.render(kind))
            for kind in KINDS
        },
    }  # fmt: skip
    written = {
        reference / name: HEADER.format(source=source) + text
        for name, (source, text) in pages.items()
    }
    drawn = {DOCS / "pictures" / f"{name}.svg": svg for name, svg in pictures.drawn().items()}
    return written | drawn


def sections() -> dict[Path, str]:
    """Return text by path, for pages that have a generated part."""
    page = DOCS / models.PAGE
    return {page: models.render(page.read_text())}


def stale() -> list[Path]:
    """Return the files that differ from what is generated: changed, missing, or left over."""
    wanted = files()
    changed = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    changed += [page for page, text in sections().items() if page.read_text() != text]
    folders = {path.parent for path in wanted}
    return changed + [p for f in sorted(folders) for p in sorted(f.glob("*.*")) if p not in wanted]


def main() -> int:
    """Write or check; the exit code says whether all is fresh."""
    parser = argparse.ArgumentParser(prog="python -m docs.tools", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name stale files")
    check = parser.parse_args().check
    if not check:
        for path, text in files().items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        for page, text in sections().items():
            page.write_text(text)
    found = stale()
    for path in found:
        sys.stderr.write(f"{path} is stale: run `make docs`, and delete it if it stays\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
