"""The fetch job: what it mounts, what it may, and when another pod is of no use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from skerry.api.modelvariant import PinnedArtifact
from skerry.jobs.errors import EXIT_EVALUATION, EXIT_FINAL, EXIT_SOURCE
from skerry.jobs.plans import FetchPlan
from skerry.render.fetch_jobs import fetch_job
from skerry.render.jobs import assess_job, optimization_job
from tests.unit.decide.plan_world import CONFIG
from tests.unit.render.test_objects import OWNER, a_fetch_job, build_job, the_assess_job

DIGEST = "sha256:" + "a" * 64
PUSHING = CONFIG.model_copy(
    update={"registry": CONFIG.registry.model_copy(update={"push_secret": "push"})}
)


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


def test_one_stage_looks_and_one_fetches_with_the_same_plan() -> None:
    pod = pod_of(fetch_job(OWNER, a_fetch_job("s3://models/intent.onnx"), CONFIG))
    (look,), (fetch,) = pod["initContainers"], pod["containers"]
    assert (look["command"][-1], fetch["command"][-1]) == ("look", "fetch")
    assert look["env"] == fetch["env"]
    text = next(entry["value"] for entry in fetch["env"] if entry["name"] == "SKERRY_FETCH")
    assert FetchPlan.model_validate_json(text).uri == "s3://models/intent.onnx"
    assert pod["volumes"] == [{"name": "scratch", "emptyDir": {}}]


def test_the_secret_is_mounted_to_read_and_a_missing_one_is_reported_by_the_fetcher() -> None:
    job = a_fetch_job("gs://models/intent.onnx", credentialsSecretName="reader")
    pod = pod_of(fetch_job(OWNER, job, CONFIG))
    volume = next(v for v in pod["volumes"] if v["name"] == "credentials")
    assert volume["secret"] == {"secretName": "reader", "optional": True}
    mounts = pod["initContainers"][0]["volumeMounts"]
    assert {"name": "credentials", "mountPath": "/credentials", "readOnly": True} in mounts


def test_a_claim_is_mounted_to_read_and_keeps_its_group() -> None:
    pod = pod_of(fetch_job(OWNER, a_fetch_job("pvc://models.v3/intent.onnx"), CONFIG))
    volume = next(v for v in pod["volumes"] if v["name"] == "claim")
    assert volume["persistentVolumeClaim"] == {"claimName": "models.v3", "readOnly": True}
    assert "fsGroup" not in pod["securityContext"]


@pytest.mark.parametrize(
    "job",
    [
        fetch_job(OWNER, a_fetch_job("s3://models/intent.onnx"), CONFIG),
        assess_job(OWNER, the_assess_job(), CONFIG),
        optimization_job(OWNER, build_job(), CONFIG),
    ],
    ids=["fetch", "assess", "optimization"],
)
def test_what_no_other_pod_can_mend_ends_the_job(job: dict[str, Any]) -> None:
    rules = job["spec"]["podFailurePolicy"]["rules"]
    assert [rule["action"] for rule in rules] == ["Ignore", "FailJob"]
    codes = [EXIT_FINAL, EXIT_EVALUATION, EXIT_SOURCE]
    assert rules[1]["onExitCodes"] == {"operator": "In", "values": codes}


def test_jobs_pull_with_the_secrets_of_their_images() -> None:
    private = PinnedArtifact(uri="oci://private/intent:3", digest=DIGEST, pull_secret_name="pull")  # noqa: S106
    assess = replace(the_assess_job(), source=private)
    pod = pod_of(assess_job(OWNER, assess, PUSHING))
    assert pod["imagePullSecrets"] == [{"name": "pull"}, {"name": "push"}]
    pod = pod_of(optimization_job(OWNER, build_job(), CONFIG))
    assert "imagePullSecrets" not in pod
