"""What the installation says of all pods (tolerations, priority, pull Secrets), in new objects and in old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.config import OperatorConfig
from skerry.api.placement import Placement
from skerry.cluster.compare import is_applied
from skerry.render.daemonsets import daemonset, with_placement
from skerry.render.fetch_jobs import fetch_job
from skerry.render.image_volumes import delivered
from skerry.render.installed import installed
from skerry.render.jobs import assess_job, optimization_job
from tests.unit.decide.plan_world import CONFIG
from tests.unit.render.test_objects import (
    OWNER,
    SERVED,
    a_fetch_job,
    build_job,
    the_assess_job,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERATIONS = [
    {"key": "dedicated", "operator": "Equal", "value": "edge", "effect": "NoSchedule"},
    {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
]
PUSHES = {"address": "reg.example:5000", "pushSecret": "push"}
READS = PUSHES | {"pullSecret": "pull"}
INIT_CONTAINER = {"artifacts": {"delivery": "InitContainer"}}
PUSHING_STAGES = {"find-finished", "hardware-acceleration", "pack", "assess", "look", "fetch"}


def config(**parts: Any) -> OperatorConfig:
    return OperatorConfig.model_validate(CONFIG.to_wire() | parts)


def served(settings: OperatorConfig) -> dict[str, Any]:
    return installed(delivered(daemonset(OWNER, SERVED, Placement()), settings), settings)


def built(settings: OperatorConfig) -> dict[str, Any]:
    job = optimization_job(OWNER, build_job(), settings)
    return installed(delivered(job, settings), settings)


def read(settings: OperatorConfig) -> dict[str, Any]:
    job = assess_job(OWNER, the_assess_job(), settings)
    return installed(delivered(job, settings), settings)


def fetched(settings: OperatorConfig) -> dict[str, Any]:
    fetch = a_fetch_job("s3://models/intent.onnx", credentialsSecretName="reader")
    return installed(fetch_job(OWNER, fetch, settings), settings)


ALL = pytest.mark.parametrize("make", [served, built, read, fetched])


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = workload["spec"]["template"]["spec"]
    return found


def secrets_mounted(workload: dict[str, Any]) -> dict[str, set[str]]:
    """Return the Secrets that each container can read, by its name."""
    pod = pod_of(workload)
    named = {v["name"]: v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v}
    return {
        container["name"]: {
            named[m["name"]] for m in container.get("volumeMounts", ()) if m["name"] in named
        }
        for container in (*pod.get("initContainers", ()), *pod["containers"])
    }


@ALL
def test_every_pod_tolerates_what_the_devices_are_tainted_with(
    make: Callable[[OperatorConfig], dict[str, Any]],
) -> None:
    pod = pod_of(make(config(device={"tolerations": TOLERATIONS})))
    assert pod["tolerations"] == TOLERATIONS
    assert "tolerations" not in pod_of(make(CONFIG))


def test_models_and_jobs_have_priorities_of_their_own() -> None:
    settings = config(
        models={"priorityClassName": "models"}, builds={"priorityClassName": "builds"}
    )
    assert pod_of(served(settings))["priorityClassName"] == "models"
    for make in (built, read, fetched):
        assert pod_of(make(settings))["priorityClassName"] == "builds"
        assert "priorityClassName" not in pod_of(make(CONFIG))


@ALL
def test_every_pod_pulls_with_the_pull_secret_and_without_one_with_the_push_secret(
    make: Callable[[OperatorConfig], dict[str, Any]],
) -> None:
    assert pod_of(make(config(registry=PUSHES)))["imagePullSecrets"] == [{"name": "push"}]
    assert pod_of(make(config(registry=READS)))["imagePullSecrets"] == [{"name": "pull"}]
    assert "imagePullSecrets" not in pod_of(make(CONFIG))


def test_no_device_reads_the_push_secret_where_there_is_one_to_pull() -> None:
    workload = served(config(registry=READS, **INIT_CONTAINER))
    assert "'push'" not in str(workload)
    assert secrets_mounted(workload)["pull-model"] == {"pull"}
    assert secrets_mounted(served(config(registry=PUSHES, **INIT_CONTAINER)))["pull-model"] == {
        "push"
    }


@pytest.mark.parametrize("make", [built, read, fetched])
def test_push_credentials_lie_where_something_is_pushed_and_nowhere_else(
    make: Callable[[OperatorConfig], dict[str, Any]],
) -> None:
    for settings in (config(registry=READS), config(registry=READS, **INIT_CONTAINER)):
        mounted = secrets_mounted(make(settings))
        with_it = {name for name, secrets in mounted.items() if "push" in secrets}
        assert with_it == PUSHING_STAGES & mounted.keys()


@pytest.mark.parametrize("delivery", ["ImageVolume", "InitContainer"])
def test_a_daemonset_that_runs_takes_over_what_the_chart_says_now_and_nothing_else(
    delivery: str,
) -> None:
    """Also what the chart no longer says, and each change is seen as one, once."""
    artifacts = {"artifacts": {"delivery": delivery}}
    placement = Placement.only(frozenset({1}))
    steps = [
        config(**artifacts),
        config(registry=PUSHES, device={"tolerations": TOLERATIONS}, **artifacts),
        config(
            registry=READS,
            device={"tolerations": TOLERATIONS[:1]},
            models={"priorityClassName": "models"},
            **artifacts,
        ),
        config(**artifacts),
    ]
    present = served(steps[0])
    for settings in steps[1:]:
        changed = installed(with_placement(OWNER, present, placement), settings)
        assert not is_applied(changed, present)
        stored = _stored(changed)
        new = installed(with_placement(OWNER, served(settings), placement), settings)
        assert pod_of(stored) == pod_of(new)
        assert stored["metadata"]["name"] == present["metadata"]["name"]
        again = installed(with_placement(OWNER, stored, placement), settings)
        assert is_applied(again, stored)
        present = stored


def _stored(workload: dict[str, Any]) -> dict[str, Any]:
    """Return the object as the API server stores it, without what is empty."""
    pod = {key: value for key, value in pod_of(workload).items() if value not in ([], "")}
    spec = workload["spec"]
    return {**workload, "spec": {**spec, "template": {**spec["template"], "spec": pod}}}
