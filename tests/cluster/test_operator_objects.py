"""What the operator renders, put to the real API server: accepted, and allowed by PSA `restricted`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.artifact import Role
from skerry.api.placement import Placement, Ring
from skerry.cluster.compare import is_applied
from skerry.decide.decision import AssessJob, BuildJob, FetchJob
from skerry.decide.snapshot import Pin, Pins
from skerry.render.daemonsets import daemonset
from skerry.render.fetch_jobs import fetch_job
from skerry.render.jobs import assess_job, optimization_job
from skerry.render.parts import Owner
from skerry.render.rolebindings import agent_role_binding
from skerry.render.routes import route
from skerry.render.services import service
from skerry.render.variants import variant
from tests.cluster.manifests import MINIMAL, changed
from tests.unit.decide.plan_world import CONFIG, DATASET, assessed, built, world

if TYPE_CHECKING:
    from tests.cluster.conftest import Kubectl

pytestmark = pytest.mark.cluster

RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
DRY = "--dry-run=server"


def rendered(namespace: str, limits: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Return one object of each kind, by name of the kind."""
    owner = Owner("intent", namespace, "00000000-0000-0000-0000-000000000000")
    registry = CONFIG.registry.model_copy(update={"push_secret": "push"})
    config = CONFIG.model_copy(update={"registry": registry})
    serving = {"serving": {"resources": {"limits": limits}}} if limits else {}
    made, decision = assessed(**serving).decide(), built(**serving).step().decide()
    (assess,), (build,) = world().decide().jobs, made.jobs
    served = built(**serving).decide().daemonsets[0].served
    assert isinstance(assess, AssessJob)
    bucket = world(source={"uri": "s3://models/intent/", "credentialsSecretName": "reader"})
    claim = world(source={"uri": "pvc://models/intent/"})
    fetches = [
        w.with_(pins=Pins({Role.DATASET: Pin(DATASET)})).decide().jobs[0] for w in (bucket, claim)
    ]
    fetch_bucket, fetch_claim = [job for job in fetches if isinstance(job, FetchJob)]
    assert isinstance(build, BuildJob)
    assert served is not None
    (name, spec), *_ = made.variants.items()
    shards = Placement.without(frozenset(range(64)))
    ring = Ring(node_selector=(("site", "north"),), shards=frozenset(range(64)))
    rings = Placement.only(frozenset({1}), (ring,))
    return {
        "assess": assess_job(owner, assess, config),
        "fetch": fetch_job(owner, fetch_bucket, config),
        "fetch-claim": fetch_job(owner, fetch_claim, config),
        "build": optimization_job(owner, build, config),
        "daemonset": daemonset(owner, served, shards),
        "daemonset-everywhere": daemonset(owner, served, Placement()),
        "daemonset-in-rings": daemonset(owner, served, rings),
        "variant": variant(owner, name, spec),
        "route": route(owner, decision.routes["x86"]),
        "service": service(owner, config.gateway),
        "binding": agent_role_binding(namespace),
    }


def test_every_object_is_accepted(kubectl: Kubectl) -> None:
    for item in rendered(kubectl.namespace).values():
        kubectl.apply(item, DRY)


def test_placements_are_stored_as_they_were_written(kubectl: Kubectl) -> None:
    """To the API server the list is a map; another order of it would be written again and again."""
    item = rendered(kubectl.namespace)["route"]
    del item["metadata"]["ownerReferences"]
    for revisions in ("bd", "abcd", "ad", "abe", "e", "abcde", "ce"):
        item["spec"]["placements"] = [
            {"revision": name * 10, "kind": "In", "shards": [1, 10, 2], "rings": []}
            for name in revisions
        ]
        assert is_applied(item, kubectl.apply(item)), revisions


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [
        ("1m", "1"), ("1.5m", "0.5"), ("5m", "1Ki"), ("0.0015", "6Mi"), ("0.57", "1.5Gi"),
        ("999999999999999m", "64Mi"), ("9999999999999999", "9999999999999Gi"),
    ],
)  # fmt: skip
def test_whatever_limits_the_schema_takes_make_objects_that_are_accepted(
    kubectl: Kubectl, cpu: str, memory: str
) -> None:
    limits = {"limits": {"cpu": cpu, "memory": memory}}
    kubectl.apply(changed(MINIMAL, {"spec.serving": {"resources": limits}}), DRY)
    for sort, item in rendered(kubectl.namespace, limits=limits["limits"]).items():
        if item["kind"] in {"Job", "DaemonSet", "ModelVariant"}:
            done = kubectl.tried("apply", "--server-side", DRY, "--filename=-", stdin=item)
            assert done.returncode == 0, f"{sort}: {done.stderr}"


@pytest.mark.parametrize("sort", ["assess", "fetch", "fetch-claim", "build", "daemonset"])
def test_pods_are_allowed_by_pod_security_restricted(kubectl: Kubectl, sort: str) -> None:
    kubectl("label", "--overwrite", "namespace", kubectl.namespace, RESTRICTED)
    template = rendered(kubectl.namespace)[sort]["spec"]["template"]
    metadata = {
        "name": sort,
        "namespace": kubectl.namespace,
        "labels": template["metadata"]["labels"],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    kubectl.apply(pod, DRY)
