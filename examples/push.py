"""Pushes a folder as an OCI image: `python examples/push.py [--insecure] FOLDER HOST/REPO:TAG`.

The same as `skerry push`, which says what the image holds; prints its digest alone, for scripts.
"""

import argparse
import sys
from pathlib import Path

from skerry.cli.errors import CliError, lines
from skerry.cli.push import FORM, parse_target, push_folder


def main() -> None:
    """Parse the command line and push."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", help=FORM)
    parser.add_argument("--insecure", action="store_true", help="plain HTTP")
    arguments = parser.parse_args()
    try:
        target = parse_target(arguments.target)
        print(push_folder(arguments.folder, target, insecure=arguments.insecure, home=Path.home()))
    except CliError as error:
        sys.exit("\n".join(lines(error)))


if __name__ == "__main__":
    main()
