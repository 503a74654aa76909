"""The Job that brings a source or data set in: one stage looks, so that people see how much it is, one fetches.

It runs in the EdgeModel's namespace on any node, under the namespace's own policies, with the Secret
or the claim that the spec names and nothing else. Which addresses may be reached from there is for
the namespace's NetworkPolicies to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.artifact import scheme_of
from skerry.jobs import names
from skerry.jobs.stages import FETCH, LOOK
from skerry.render import job_parts, parts

if TYPE_CHECKING:
    from skerry.api.config import OperatorConfig
    from skerry.decide.decision import FetchJob
    from skerry.jobs.stages import StageSpec
    from skerry.render.parts import Object, Owner


def fetch_job(owner: Owner, fetch: FetchJob, config: OperatorConfig) -> Object:
    """Return the Job of one source or data set."""
    claim = _claim(fetch)
    mounts = [
        {"name": "scratch", "mountPath": names.SCRATCH_DIRECTORY},
        *job_parts.docker_mounts(config.registry.push_secret),
        *([_mount("credentials", names.CREDENTIALS_DIRECTORY)] if fetch.plan.secret else []),
        *([_mount("claim", names.CLAIM_DIRECTORY)] if claim else []),
    ]
    volumes = [
        {"name": "scratch", "emptyDir": {}},
        *job_parts.docker_volumes(config.registry.push_secret),
        *([_secret(fetch.plan.secret)] if fetch.plan.secret else []),
        *([_claim_volume(claim)] if claim else []),
    ]
    security = parts.pod_security()
    # It would hand a claim's files to another group.
    del security["fsGroup"]
    pod = {
        **job_parts.pod(),
        **parts.pull_secrets(config.registry.reading_secret),
        "securityContext": security,
        "initContainers": [_stage(LOOK, fetch, config, mounts)],
        "containers": [_stage(FETCH, fetch, config, mounts)],
        "volumes": volumes,
    }
    labeled = {
        **parts.labels(owner, parts.COMPONENT_FETCHER),
        job_parts.LABEL_WORK: fetch.made.work,
    }
    return job_parts.job(owner, fetch.made, labeled, pod, fetch.deadline_seconds)


def _stage(
    stage: StageSpec, fetch: FetchJob, config: OperatorConfig, mounts: list[Object]
) -> Object:
    settings = config.sources
    if settings.fetcher_image is None:
        raise ValueError("no fetch job is decided without the image of the fetcher")
    variables = {
        "HOME": names.SCRATCH_DIRECTORY,
        "TMPDIR": names.TEMPORARY_DIRECTORY,
        **fetch.plan.to_environment(),
    }
    limits = settings.resources.limits()
    return {
        **job_parts.container(stage, settings.fetcher_image, limits),
        "env": parts.environment(variables),
        "volumeMounts": mounts,
    }


def _claim(fetch: FetchJob) -> str | None:
    uri = fetch.plan.uri
    return uri.removeprefix("pvc://").partition("/")[0] if scheme_of(uri) == "pvc" else None


def _claim_volume(claim: str) -> Object:
    source = {"claimName": claim, "readOnly": True}
    return {"name": "claim", "persistentVolumeClaim": source}


def _secret(name: str | None) -> Object:
    """Return an optional volume: the fetcher reports a missing Secret, where a mount would wait silently."""
    return {"name": "credentials", "secret": {"secretName": name, "optional": True}}


def _mount(name: str, path: str) -> Object:
    return {"name": name, "mountPath": path, "readOnly": True}
