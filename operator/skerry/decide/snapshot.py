"""What one reconcile of one EdgeModel sees: everything, read once, frozen.

`skerry.controllers.gather` fills it, `skerry.decide.edgemodel` reads it. Kubernetes' own objects come as
small views with just what a decision depends on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from skerry.decide.build.state import BuildState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from skerry.api import EdgeModel, HardwareClass, ModelRouteSpec, ModelVariant
    from skerry.api.artifact import Role
    from skerry.api.config import OperatorConfig
    from skerry.api.edgemodel_status import Fetched
    from skerry.api.modelvariant import PinnedArtifact
    from skerry.api.placement import Placement
    from skerry.api.reasons import Cause
    from skerry.decide.refused import Refused
    from skerry.decide.rollout.model import NodeView
    from skerry.engines import EnginePlugin


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
    restarts: int = 0
    ended_before: ContainerView | None = None


@dataclass(frozen=True)
class EventView:
    """A Warning Event about an object, as it was last seen."""

    reason: str
    message: str
    at: datetime


@dataclass(frozen=True)
class PodView:
    """A pod: init containers first, in order, then the main ones.

    Attributes:
        unschedulable: the scheduler's words while it finds no node.
        refused: the kubelet's words when it has refused or evicted the pod.
        events: newest first; read only of a pod none of whose containers has begun for a while.
    """

    name: str
    created_at: datetime
    node: str | None = None
    unschedulable: str = ""
    containers: tuple[ContainerView, ...] = ()
    uid: str = ""
    refused: str = ""
    events: tuple[EventView, ...] = ()

    @property
    def begun(self) -> bool:
        """Whether a container of it runs or has run."""
        return any(one.phase is not ContainerPhase.WAITING for one in self.containers)


@dataclass(frozen=True)
class Absence:
    """A node without a Ready pod of a revision that its DaemonSet should have there.

    Attributes:
        since: when this was first seen.
        pod: that is there and not Ready, if any.
        taint: of the node, that the DaemonSet does not tolerate; empty without one.
        events: of the DaemonSet, newest first; None while they are not read, as those of one with a pod.
    """

    node: str
    revision: str
    daemonset: str
    since: datetime
    pod: PodView | None = None
    taint: str = ""
    events: tuple[EventView, ...] | None = None


@dataclass(frozen=True)
class JobView:
    """A Job with its pods, the newest last.

    Attributes:
        events: newest first; read only of a job that has had no pod for a while.
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
    namespace: str = ""
    uid: str = ""
    events: tuple[EventView, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it will do nothing more."""
        return self.succeeded or self.failure is not None

    @property
    def begun(self) -> bool:
        """Whether a container of its newest pod runs or has run."""
        return bool(self.pods) and self.pods[-1].begun


@dataclass(frozen=True)
class Pin:
    """An artifact of the spec by its digest.

    Attributes:
        fetched: what the fetch job reported; None where none was needed.
    """

    artifact: PinnedArtifact
    fetched: Fetched | None = None


@dataclass(frozen=True)
class Pins:
    """The digests that the spec's artifacts stand for, as far as they are known.

    Attributes:
        state: how far those are that are not known.
        cause: why one is not known; None while the registry is still being asked.
        again_in: seconds until the registry is asked again.
        kits: those that name a model artifact, which takes a job to bring in.
    """

    known: Mapping[Role, Pin] = field(default_factory=dict)
    state: BuildState = BuildState.WAITING
    cause: Cause | None = None
    again_in: float | None = None
    kits: frozenset[Role] = frozenset()

    def artifact(self, role: Role) -> PinnedArtifact | None:
        """Return the artifact of this role; None while its digest is not known."""
        pin = self.known.get(role)
        return pin.artifact if pin else None

    @property
    def failed(self) -> bool:
        """Whether one is not known and no answer is awaited."""
        return self.state.has_failed


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
    """Optimization jobs of the whole cluster, and fetch jobs.

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
        plugins: the descriptions of engines in the operator's image, by name.
        classes: all HardwareClasses, by name.
        nodes: nodes that carry a class, by class.
        routes: ModelRoutes of the model, by class.
        daemonsets: what the model's DaemonSets cover, by class and revision.
        variants: the model's ModelVariants, by name.
        jobs: the model's Jobs.
        pins: resolved digests.
        finished: what was looked up in the registry, by tag; None where there is nothing. A tag that is
            not here was not looked up yet.
        registry_says: why the registry gave no answer to what was looked up, while it is asked again.
        slots: room for optimization jobs.
        gateway: addresses.
        conflicts: objects that stand in the way and are not ours ("Service intent").
        absences: nodes without a pod that should be there for a while, by class.
        unreadable: children that can't be read and were left out: what, why, and what to do.
        unreadable_classes: the same of HardwareClasses, by name.
        refused: writes that the API server refused at the last try.
    """

    model: EdgeModel
    config: OperatorConfig
    plugins: Mapping[str, EnginePlugin] = field(default_factory=dict)
    classes: Mapping[str, HardwareClass] = field(default_factory=dict)
    nodes: Mapping[str, tuple[NodeView, ...]] = field(default_factory=dict)
    routes: Mapping[str, ModelRouteSpec] = field(default_factory=dict)
    daemonsets: Mapping[str, Mapping[str, Placement]] = field(default_factory=dict)
    variants: Mapping[str, ModelVariant] = field(default_factory=dict)
    jobs: tuple[JobView, ...] = ()
    pins: Pins = Pins()
    finished: Mapping[str, Finished | None] = field(default_factory=dict)
    registry_says: str = ""
    slots: BuildSlots = BuildSlots()
    gateway: GatewayAddress = GatewayAddress()
    conflicts: tuple[str, ...] = ()
    absences: Mapping[str, tuple[Absence, ...]] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    unreadable_classes: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
