"""What one reconcile of one EdgeModel has to write, in Skerry's own terms; `skerry.render` makes objects of it.

`skerry.controllers.writes` says in which order. The operator may be killed after any write, and any write
may be refused: the next reconcile sees what was written and continues from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skerry.engines.server import SKERRY_RUNTIME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.api import EdgeModelStatus, ModelRouteSpec, ModelVariantSpec, ModelVariantStatus
    from skerry.api.common import ResourceLimits
    from skerry.api.modelvariant import PinnedArtifact
    from skerry.api.placement import Placement
    from skerry.engines.server import Server
    from skerry.jobs.plans import AssessPlan, FetchPlan, JobPlan


@dataclass(frozen=True)
class ServedRevision:
    """All that the pods of a revision are made of; the revision's name is a digest of it.

    Attributes:
        revision: name, ten hex digits.
        hardware_class: class of the target.
        image: the certified artifact, HOST/REPOSITORY@sha256:...
        runtime_image: the engine's, by digest; helpers run in it, too.
        limits: of the serving container.
        server: the engine's, or the one that the class has in its place.
    """

    revision: str
    hardware_class: str
    image: str
    runtime_image: str
    limits: ResourceLimits
    server: Server = SKERRY_RUNTIME


@dataclass(frozen=True)
class DaemonSetPlan:
    """Where the pods of a revision shall run.

    Attributes:
        served: what they are, for a DaemonSet that is not there yet; None when it is there, and for
            a revision that nothing can be made of any more.
    """

    hardware_class: str
    revision: str
    placement: Placement
    served: ServedRevision | None = None


@dataclass(frozen=True)
class JobTry:
    """One try of a piece of work: a change of the spec or a retry annotation makes another.

    Attributes:
        name: of the Job.
        work: what it is for, twelve hex digits.
        retry: the generation and nonce that it was made under.
    """

    name: str
    work: str
    retry: str


@dataclass(frozen=True)
class AssessJob:
    """Reads a source and its data set once.

    Attributes:
        deadline_seconds: after which the job is given up.
    """

    made: JobTry
    source: PinnedArtifact
    plan: AssessPlan
    deadline_seconds: int


@dataclass(frozen=True)
class FetchJob:
    """Brings a source or data set into the registry, or looks up a private tag.

    Attributes:
        deadline_seconds: after which the job is given up.
    """

    made: JobTry
    plan: FetchPlan
    deadline_seconds: int


@dataclass(frozen=True)
class BuildJob:
    """Builds, measures and packs one variant under one set of gates.

    Attributes:
        variant: name of the ModelVariant.
        deadline_seconds: after which the job is given up.
    """

    made: JobTry
    variant: str
    plan: JobPlan
    engine: str
    deadline_seconds: int


@dataclass(frozen=True)
class Event:
    """A line for `kubectl describe`; `warning` when a person may have to act."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Deletions:
    """What goes, in this order: routes (by class), DaemonSets (by revision), variants, jobs (by name)."""

    routes: tuple[str, ...] = ()
    daemonsets: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """All writes of one reconcile.

    Attributes:
        variant_statuses: by name of the ModelVariant.
        routes: by class.
        status: of the EdgeModel, whole.
        daemonsets: to apply, unchanged ones included.
        variants: to be there, by name.
        jobs: to start.
        lookups: tags of finished work to look for in the registry, before jobs do it again.
        deletions: what goes.
        events: after all writes.
        requeue_after: seconds until time alone can change the decision; None for never.
    """

    status: EdgeModelStatus
    variant_statuses: Mapping[str, ModelVariantStatus] = field(default_factory=dict)
    routes: Mapping[str, ModelRouteSpec] = field(default_factory=dict)
    daemonsets: tuple[DaemonSetPlan, ...] = ()
    variants: Mapping[str, ModelVariantSpec] = field(default_factory=dict)
    jobs: tuple[FetchJob | AssessJob | BuildJob, ...] = ()
    lookups: tuple[str, ...] = ()
    deletions: Deletions = Deletions()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
