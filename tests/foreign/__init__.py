"""An engine that nothing of Skerry names, as a distribution that `install` lays out as pip would.

It computes with ONNX's reference implementation, so it is slow and right. It is served by a server of its
own, by a protocol of its own, for which the distribution brings the agent's strategy.
"""

from __future__ import annotations

import shutil
from pathlib import Path

PACKAGE = Path(__file__).parent / "homemade"
METADATA = "Metadata-Version: 2.1\nName: homemade\nVersion: 3.2.1\n"
ENTRY_POINTS = """\
[skerry.engines]
Reference = homemade:ENGINE

[skerry.protocols]
Plain = homemade.protocol:PLAIN
"""


def install(site: Path) -> None:
    """Lay the distribution out in a folder that is to be on the path."""
    metadata = site / "homemade-3.2.1.dist-info"
    metadata.mkdir(parents=True)
    shutil.copytree(PACKAGE, site / "homemade", ignore=shutil.ignore_patterns("__pycache__"))
    (metadata / "METADATA").write_text(METADATA)
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)


def install_text(site: Path, group: str, name: str, text: str) -> None:
    """Lay out a distribution of one module, whose `FOUND` is its entry point in the group."""
    metadata = site / f"{name}-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}:FOUND\n")
    (site / f"{name}.py").write_text(text)
