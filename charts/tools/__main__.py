"""`python -m charts.tools` writes the chart's generated files; with `--check` it names those that are stale."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from charts.tools import dashboard, readme

CHART = Path(__file__).parents[1] / "skerry"


def files() -> dict[Path, str]:
    """Return text by path, for all generated files."""
    return {
        CHART / "README.md": readme.render(CHART),
        CHART / "files" / "dashboard.json": dashboard.render(),
    }


def main() -> int:
    """Write or check; the exit code says whether all is fresh."""
    parser = argparse.ArgumentParser(prog="python -m charts.tools", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name stale files")
    check = parser.parse_args().check
    wanted = files()
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    for path in stale:
        if check:
            sys.stderr.write(f"{path} is stale: run `make chart`\n")
        else:
            path.write_text(wanted[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
