"""What one pass over one EdgeModel sees: everything, read once, frozen.

`skerry.controllers.gather` fills it, `skerry.decide.plan` reads it. Kubernetes' own objects come as
small views with just what a decision depends on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from skerry.api import EdgeModel, HardwareClass, ModelRouteSpec, ModelVariant
    from skerry.api.config import OperatorConfig
    from skerry.api.edgemodel_status import Fetched
    from skerry.api.fetch import Role
    from skerry.api.modelvariant import PinnedArtifact
    from skerry.decide.refused import Refused
    from skerry.decide.rollout.model import NodeView, Placement


class ContainerPhase(Enum):
    """The three states of a container."""

    WAITING = "Waiting"
    RUNNING = "Running"
    TERMINATED = "Terminated"


@dataclass(frozen=True)
class ContainerView:
    """A container's state; `reason` and `message` are the kubelet's words or the program's last ones."""

    name: str
    phase: ContainerPhase
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class PodView:
    """A pod of a Job: init containers first, in order, then the main ones."""

    name: str
    created_at: datetime
    node: str | None = None
    unschedulable: str = ""
    containers: tuple[ContainerView, ...] = ()


@dataclass(frozen=True)
class JobView:
    """A Job with its pods, the newest last.

    Attributes:
        work: label `skerry.dev/work`: what the job is for; jobs for the same work are tries of it.
        retry: the generation and nonce under which it was made (see `JobTry`).
        failure: the reason and message of its Failed condition, when it has failed.
        finished_at: when it succeeded or failed.
    """

    name: str
    work: str
    retry: str
    created_at: datetime
    succeeded: bool = False
    failure: tuple[str, str] | None = None
    finished_at: datetime | None = None
    pods: tuple[PodView, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it will do nothing more."""
        return self.succeeded or self.failure is not None


@dataclass(frozen=True)
class RouteView:
    """A ModelRoute as observed."""

    spec: ModelRouteSpec
    generation: int


@dataclass(frozen=True)
class Pins:
    """The digests that the spec's artifacts stand for.

    Attributes:
        source, dataset: None while not known.
        problem: why one is not known; empty while the registry is still being asked.
        waiting: what is awaited meanwhile, when it is a job.
        reason: one CamelCase word for `problem` or `waiting`.
        fetched: what jobs brought in.
    """

    source: PinnedArtifact | None = None
    dataset: PinnedArtifact | None = None
    problem: str = ""
    waiting: str = ""
    reason: str = ""
    fetched: Mapping[Role, Fetched] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """Finished work in the registry.

    Attributes:
        digest: of its image.
        result: as the job that did it wrote it, JSON.
    """

    digest: str
    result: str


@dataclass(frozen=True)
class BuildSlots:
    """Optimisation jobs of the whole cluster, and fetch jobs.

    Attributes:
        running: unfinished ones, of other EdgeModels too.
        waiting_before: EdgeModels older than this one that wait for a slot.
        fetching: fetch jobs that are not finished, which have slots of their own.
    """

    running: int = 0
    waiting_before: int = 0
    fetching: int = 0


@dataclass(frozen=True)
class GatewayAddress:
    """How the gateway's Service is reached without DNS."""

    cluster_ip: str | None = None
    node_port: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """The whole state of one EdgeModel.

    Attributes:
        model: with its last written status.
        config: the operator's settings.
        classes: all HardwareClasses, by name.
        nodes: nodes that carry a class, by class.
        routes: ModelRoutes of the model, by class.
        daemonsets: placements of the model's DaemonSets, by class and revision.
        variants: the model's ModelVariants, by name.
        jobs: the model's Jobs.
        pins: resolved digests.
        finished: what was looked up in the registry, by tag; None where there is nothing. A tag that is
            not here was not looked up yet.
        slots: room for optimisation jobs.
        gateway: addresses.
        conflicts: objects that stand in the way and are not ours ("Service intent").
        refused: writes that the API server refused at the last try.
    """

    model: EdgeModel
    config: OperatorConfig
    classes: Mapping[str, HardwareClass] = field(default_factory=dict)
    nodes: Mapping[str, tuple[NodeView, ...]] = field(default_factory=dict)
    routes: Mapping[str, RouteView] = field(default_factory=dict)
    daemonsets: Mapping[str, Mapping[str, Placement]] = field(default_factory=dict)
    variants: Mapping[str, ModelVariant] = field(default_factory=dict)
    jobs: tuple[JobView, ...] = ()
    pins: Pins = Pins()
    finished: Mapping[str, Finished | None] = field(default_factory=dict)
    slots: BuildSlots = BuildSlots()
    gateway: GatewayAddress = GatewayAddress()
    conflicts: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
