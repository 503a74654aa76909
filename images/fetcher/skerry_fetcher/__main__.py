"""`python -m skerry_fetcher look|fetch`: runs one stage of a fetch job, and says how it ended."""

from __future__ import annotations

import logging
import sys

from skerry.api.termination import EXIT_FINAL
from skerry.artifacts.stage import StageError, end, first_line
from skerry_fetcher.errors import RefusedError
from skerry_fetcher.stages import fetch, look, read_plan
from skerry_fetcher.workspace import Workspace

LONGEST_MESSAGE = 4096
"""Bytes of a termination message; the pod has two containers, so that no more is cut."""

FAILED = 1

STAGES = {"look": look, "fetch": fetch}

logger = logging.getLogger("skerry_fetcher")


def main(arguments: list[str]) -> int:
    """Run the named stage; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if len(arguments) != 1 or arguments[0] not in STAGES:
        told = f"no stage {' '.join(arguments)!r}: one of {', '.join(STAGES)}"
        return end(told, LONGEST_MESSAGE, FAILED)
    try:
        workspace = Workspace.from_environment()
        workspace.scratch.joinpath("tmp").mkdir(exist_ok=True)
        message = STAGES[arguments[0]](read_plan(), workspace)
    except RefusedError as error:
        return end(str(error), LONGEST_MESSAGE, EXIT_FINAL if error.lasting else FAILED)
    except StageError as error:
        return end(str(error), LONGEST_MESSAGE, FAILED)
    except Exception as error:
        logger.exception("the stage %s failed", arguments)
        told = f"{type(error).__name__}: {first_line(error)}"
        return end(
            f"failed unexpectedly ({told}); see the container's log", LONGEST_MESSAGE, FAILED
        )
    return end(message, LONGEST_MESSAGE, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
