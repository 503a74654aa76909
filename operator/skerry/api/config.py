"""The operator's configuration file, /etc/skerry/config.yaml (the chart's ConfigMap).

Its models are part of the API because pure code needs its facts (engine versions, images, addresses).
`skerry.controllers.config` reads the file.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import ConfigDict, Field

from skerry.api.common import (
    MOST_ENGINES,
    SYSTEM_NAMESPACE,
    CpuQuantity,
    DnsLabel,
    Duration,
    EngineName,
    MemoryQuantity,
    Model,
    PinnedImage,
    ResourceLimits,
)


class Settings(Model):
    """A part of the file. An unknown field is a mistake of the writer, so it is rejected."""

    model_config = ConfigDict(extra="forbid")


class RegistrySettings(Settings):
    """The registry for artifacts. Jobs, kubelets and the operator use the same address."""

    address: str = Field(description="HOST[:PORT]")
    insecure: bool = Field(default=False, description="Plain HTTP.")
    prefix: str = "skerry"
    push_secret: str | None = Field(
        default=None,
        description="Name of a Secret of type kubernetes.io/dockerconfigjson, in the namespace of each"
        " EdgeModel.",
    )
    pull_secret: str | None = Field(
        default=None,
        description="Name of a Secret of the same type with read access only. Unset: pods pull with"
        " `push_secret`.",
    )

    @property
    def reading_secret(self) -> str | None:
        """Return the Secret that pods pull with, if any."""
        return self.pull_secret or self.push_secret


class EngineSettings(Settings):
    """One installed engine: its images, and what its builds depend on."""

    version: str
    recipe_set: str
    architectures: tuple[str, ...] = Field(
        default=(), description="Architectures of the images, such as amd64; empty for any."
    )
    optimizer_image: PinnedImage
    runtime_image: PinnedImage


class BuildResources(Settings):
    """Limits of the containers that build or choose. The one that certifies has the serving limits."""

    cpu: CpuQuantity = "1"
    memory: MemoryQuantity = "2Gi"

    def limits(self) -> ResourceLimits:
        """Return these as limits of a container."""
        return ResourceLimits(cpu=self.cpu, memory=self.memory)


class BuildSettings(Settings):
    """How many optimization jobs run at once in the cluster, and with which resources."""

    max_concurrent: int = Field(default=1, ge=1)
    resources: BuildResources = BuildResources()
    priority_class_name: str | None = Field(
        default=None, description="PriorityClass of all jobs. Unset: the cluster's default."
    )


class SourceSettings(Settings):
    """How sources and data sets that are not images are fetched."""

    fetcher_image: PinnedImage | None = Field(
        default=None,
        description="Image of the fetch jobs. Unset: only public oci images can be used.",
    )
    max_concurrent: int = Field(
        default=2, ge=1, description="Maximum number of fetch jobs at once in the cluster."
    )
    size_limit: MemoryQuantity = Field(
        default="10Gi", description="Maximum size of one source or data set."
    )
    time_limit: Duration = Field(default="1h", description="Deadline of a fetch job.")
    resources: BuildResources = BuildResources(cpu="500m", memory="512Mi")


class Delivery(StrEnum):
    """How an artifact, a source or a data set is delivered into a pod."""

    IMAGE_VOLUME = "ImageVolume"
    INIT_CONTAINER = "InitContainer"


class ArtifactSettings(Settings):
    """How images that hold only files are delivered into pods."""

    delivery: Delivery = Field(
        default=Delivery.IMAGE_VOLUME,
        description="ImageVolume: the kubelet pulls, verifies and caches them (Kubernetes 1.35, or 1.33"
        " with the feature gate ImageVolume). InitContainer: for older clusters; each pod pulls its own"
        " copy.",
    )


class GatewaySettings(Settings):
    """The Service in front of every node's gateway."""

    service: DnsLabel = "skerry-gateway"
    namespace: DnsLabel = SYSTEM_NAMESPACE
    node_port: int | None = 30080


class AgentSettings(Settings):
    """Settings of the agents that the operator needs."""

    heartbeat_seconds: float = Field(
        default=60, gt=0, description="Seconds between two renewals of an agent's Lease."
    )


class TolerationOperator(StrEnum):
    """How a toleration matches a taint."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(Settings):
    """A toleration of a pod, as in Kubernetes."""

    key: str | None = None
    operator: TolerationOperator | None = None
    value: str | None = None
    effect: TaintEffect | None = None
    toleration_seconds: int | None = None


class DeviceSettings(Settings):
    """What all pods on devices share: agent, gateway, models and jobs."""

    tolerations: tuple[Toleration, ...] = ()


class ModelSettings(Settings):
    """The pods that serve models."""

    priority_class_name: str | None = Field(
        default=None, description="PriorityClass of the pods. Unset: the cluster's default."
    )


class FleetSettings(Settings):
    """What the operator does about nodes and classes."""

    default_classes: bool = Field(
        default=False,
        description="Create the default HardwareClasses once; see skerry.decide.nodes.default_classes.",
    )


class OperatorConfig(Settings):
    """The whole file."""

    registry: RegistrySettings
    engines: dict[EngineName, EngineSettings] = Field(
        max_length=MOST_ENGINES, description="The installed engines, by name."
    )
    builds: BuildSettings = BuildSettings()
    sources: SourceSettings = SourceSettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    gateway: GatewaySettings = GatewaySettings()
    agent: AgentSettings = AgentSettings()
    device: DeviceSettings = DeviceSettings()
    models: ModelSettings = ModelSettings()
    fleet: FleetSettings = FleetSettings()
