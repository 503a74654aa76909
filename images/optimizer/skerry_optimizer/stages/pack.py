"""The last stage: pushes what passed the gates with its evidence, and reports to the operator.

Its message is the summary of `skerry.jobs.results`. Where no candidate passed, the evidence
alone is pushed: the answer is final for these keys, and nothing that failed can be served.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from skerry.artifacts.images import JOB, RegistryClient
from skerry.artifacts.images.layers import digest_of
from skerry.jobs.errors import StageError
from skerry.jobs.names import NODE_VARIABLE
from skerry.jobs.plans import JobPlan
from skerry.jobs.results import JobSummary, encode_summary
from skerry_optimizer.evidence import push_evidence

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.jobs.files import Validation
    from skerry.jobs.scratch import Workspace


def pack(workspace: Workspace) -> str:
    """Push, and return the encoded summary.

    Raises:
        StageError: Validation left nothing, or the registry can't take it.
    """
    if workspace.found.exists():
        return encode_summary(workspace.read_found().model_copy(update={"reused": True}))
    plan = JobPlan.from_environment(os.environ)
    summary = push_evidence(
        RegistryClient(plan.registry, patience=JOB), workspace, plan, summarized(workspace, plan)
    )
    return encode_summary(summary)


def summarized(workspace: Workspace, plan: JobPlan) -> JobSummary:
    """Return the summary of what validation found; the artifact is added once it is pushed.

    Raises:
        StageError: Validation left nothing, or contradicts itself.
    """
    validation = workspace.read_validation()
    chosen = validation.chosen
    if chosen is not None:
        _check_complete(validation)
    return JobSummary(
        recipe_results=tuple(measured.result for measured in validation.recipe_results),
        chosen=chosen,
        certified=validation.certified.result if validation.certified else None,
        gates=validation.gates,
        model_digest=_model_digest(workspace, chosen) if chosen else None,
        baseline=validation.baseline,
        engine_version=plan.engine_version,
        hardware_class=plan.hardware_class,
        node=os.environ.get(NODE_VARIABLE, ""),
        message=validation.message,
    )


def _check_complete(validation: Validation) -> None:
    certified, served = validation.certified, validation.served
    if certified is None or served is None or certified.result.recipe != validation.chosen:
        raise StageError(
            f"validation chose {validation.chosen} but did not certify it: nothing is pushed;"
            " this is a fault of Skerry, please report it with the validation container's log"
        )


def _model_digest(workspace: Workspace, recipe: str) -> str:
    """Return the digest of the model: of its file, or of what `sha256sum` prints for its files."""
    files = workspace.model_files(recipe)
    digests = [_digest(file) for file in files]
    if len(files) == 1:
        return digests[0]
    lines = [
        f"{digest.removeprefix('sha256:')}  {file.name}\n"
        for digest, file in zip(digests, files, strict=True)
    ]
    return digest_of(io.BytesIO("".join(lines).encode()))


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return digest_of(content)
