"""Every reason that a status can give, by subject. docs/reference/reasons.md is generated from these enums.

The code that knows a cause chooses its reason; people and their programs read it. Skerry itself decides
by typed state, never by a reason that it reads back.

base.py      what a reason is, and a cause: a reason with its message
sources.py   digests, fetching and assessing the source and the data set
builds.py    builds and their jobs
rollouts.py  rollouts, pods, and an EdgeModel as a whole
objects.py   any object, classes, refused writes
"""

from skerry.api.reasons.base import Cause, ConditionType, Reason
from skerry.api.reasons.builds import BuildReason, JobFailure
from skerry.api.reasons.objects import ClassReason, GeneralReason, WriteRefusal
from skerry.api.reasons.rollouts import ModelReason, PodReason, RolloutReason
from skerry.api.reasons.sources import (
    AssessFailure,
    AssessReason,
    FetchReason,
    FetchRefusal,
    InputFault,
    RegistryReason,
)

SUBJECTS: tuple[type[Reason], ...] = (
    RegistryReason,
    FetchReason,
    FetchRefusal,
    AssessReason,
    AssessFailure,
    InputFault,
    BuildReason,
    JobFailure,
    PodReason,
    RolloutReason,
    ModelReason,
    GeneralReason,
    WriteRefusal,
    ClassReason,
)
"""All enums of reasons, in the order of a model's life."""

__all__ = [
    "SUBJECTS",
    "AssessFailure",
    "AssessReason",
    "BuildReason",
    "Cause",
    "ClassReason",
    "ConditionType",
    "FetchReason",
    "FetchRefusal",
    "GeneralReason",
    "InputFault",
    "JobFailure",
    "ModelReason",
    "PodReason",
    "Reason",
    "RegistryReason",
    "RolloutReason",
    "WriteRefusal",
]
