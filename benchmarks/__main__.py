"""`python -m benchmarks NAME --out FILE`: measures one of the promises; see docs/benchmarks.md."""

from __future__ import annotations

import argparse
import logging
import pkgutil
from pathlib import Path

from benchmarks.shared.figures import write

BENCHMARKS = {
    "job": "benchmarks.job.compare",
    "first-node": "benchmarks.first_node.compare",
    "serving": "benchmarks.serving.compare",
}
"""Modules with `add_arguments(parser)` and `measure(options)`."""


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    modules = {name: pkgutil.resolve_name(path) for name, path in BENCHMARKS.items()}
    for name, module in modules.items():
        command = commands.add_parser(
            name, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_argument("--out", type=Path, required=True, help="JSON is written here")
        module.add_arguments(command)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    write(options.name, options.out, lambda: modules[options.name].measure(options))


if __name__ == "__main__":
    main()
