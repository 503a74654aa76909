"""The first stage: finished work is found again by its keys, so nothing is built or measured twice.

Finished evidence ends the job at once; candidates that were built (under other limits or gates, or
by a try that ended early) are only measured again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from skerry.artifacts.images import JOB, RegistryClient
from skerry.jobs.ending import FOUND
from skerry.jobs.plans import JobPlan
from skerry_optimizer.builds import pull_build
from skerry_optimizer.evidence import find_evidence

if TYPE_CHECKING:
    from skerry.jobs.scratch import Workspace


def find_finished(workspace: Workspace) -> str:
    """Look for finished work; return what was found.

    Raises:
        StageError: The registry was not reached, or refused.
    """
    workspace.begin()
    plan = JobPlan.from_environment(os.environ)
    client = RegistryClient(plan.registry, patience=JOB)
    summary = find_evidence(client, plan)
    if summary is not None:
        workspace.write_found(summary)
        return FOUND
    count = pull_build(client, workspace, plan)
    if count:
        return f"found {count} built candidates: only to be measured"
    return "nothing finished with these keys: building and measuring"
