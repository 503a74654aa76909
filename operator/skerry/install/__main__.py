"""`python -m skerry.install WORD`: says what it does, and ends with 1 and a reason when it can't."""

from __future__ import annotations

import argparse
import asyncio
import sys

from skerry.cluster.connect import connected
from skerry.cluster.errors import SkerryError
from skerry.install.check import check
from skerry.install.crds import apply_crds

WORDS = {"crds": apply_crds, "check": check}


def main() -> int:
    """Run one of the words."""
    parser = argparse.ArgumentParser(prog="python -m skerry.install")
    parser.add_argument("word", choices=WORDS)
    word = parser.parse_args().word
    try:
        asyncio.run(_run(word))
    except SkerryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _run(word: str) -> None:
    async with connected() as cluster:
        async for line in WORDS[word](cluster):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
