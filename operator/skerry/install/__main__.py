"""`python -m skerry.install WORD`: says what it does, and ends with 1 and a reason when it can't."""

from __future__ import annotations

import argparse
import asyncio
import sys

from skerry.cluster.connect import connected
from skerry.errors import SkerryError
from skerry.install.check import PATIENCE_SECONDS, check
from skerry.install.crds import apply_crds


def main() -> int:
    """Run one of the words."""
    options = _parser().parse_args()
    try:
        asyncio.run(_run(options))
    except SkerryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m skerry.install")
    words = parser.add_subparsers(dest="word", required=True)
    words.add_parser("crds", help="update the CRDs")
    checks = words.add_parser("check", help="check that all parts of Skerry are healthy")
    checks.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS",
        help="until it must be (default: %(default)s)",
    )  # fmt: skip
    return parser


async def _run(options: argparse.Namespace) -> None:
    async with connected() as cluster:
        found = check(cluster, options.patience) if options.word == "check" else apply_crds(cluster)
        async for line in found:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
