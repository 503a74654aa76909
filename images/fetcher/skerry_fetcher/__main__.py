"""`python -m skerry_fetcher look|fetch`: runs one stage of a fetch job, and says how it ended."""

from __future__ import annotations

import logging
import os
import pkgutil
import sys

from skerry.jobs.ending import end, first_line
from skerry.jobs.errors import EXIT_FINAL, StageError
from skerry.jobs.plans import FetchPlan
from skerry.jobs.scratch import Workspace
from skerry.jobs.stages import FETCH, StageImage, message_bytes, stages_in
from skerry_fetcher.errors import RefusedError

LONGEST_MESSAGE = message_bytes(FETCH)

FAILED = 1

STAGES = stages_in(StageImage.FETCHER)

logger = logging.getLogger("skerry_fetcher")


def main(arguments: list[str]) -> int:
    """Run the named stage; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if len(arguments) != 1 or arguments[0] not in STAGES:
        text = f"no stage {' '.join(arguments)!r}: one of {', '.join(STAGES)}"
        return end(text, LONGEST_MESSAGE, FAILED)
    try:
        workspace = Workspace.from_environment(os.environ)
        workspace.temporary.mkdir(exist_ok=True)
        run = pkgutil.resolve_name(STAGES[arguments[0]].program)
        message = run(FetchPlan.from_environment(os.environ), workspace)
    except RefusedError as error:
        return end(str(error), LONGEST_MESSAGE, EXIT_FINAL if error.lasting else FAILED)
    except StageError as error:
        return end(str(error), LONGEST_MESSAGE, FAILED)
    except Exception as error:
        logger.exception("the stage %s failed", arguments)
        text = f"{type(error).__name__}: {first_line(error)}"
        return end(
            f"failed unexpectedly ({text}); see the container's log", LONGEST_MESSAGE, FAILED
        )
    return end(message, LONGEST_MESSAGE, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
