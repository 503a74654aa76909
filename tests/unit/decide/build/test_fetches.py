"""What a job fetches, when, and what the status says meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from skerry.api.reasons import Cause, RegistryReason
from skerry.decide.build.state import BuildState
from skerry.api.modelvariant import PinnedArtifact
from skerry.api.edgemodel import ArtifactStatus, EdgeModelStatus, JobSlot, Phase
from skerry.decide.conditions import condition_of
from skerry.decide.decision import AssessJob, FetchJob
from skerry.decide.build.fetches import pause_after
from skerry.decide.snapshot import BuildSlots, ContainerPhase, ContainerView, Pin, Pins, PodView
from skerry.api.artifact import Role
from skerry.jobs.results import FetchReport
from skerry.render.parts import pinned_reference
from tests.unit.decide.plan_world import DATASET, NOW, World, edge_model, ended, world

URI = "s3://models/intent.onnx"
IMAGE = "reg.example:5000/skerry/assist/intent"
DIGEST, CONTENT, OTHER = ("sha256:" + letter * 64 for letter in "123")


def fetching(**source: Any) -> World:
    """Return an EdgeModel whose source requires a job."""
    new = world(source={"uri": URI, **source})
    return new.with_(pins=Pins({Role.DATASET: Pin(DATASET)}))


def report(digest: str = DIGEST) -> str:
    return FetchReport(
        digest=digest, image=IMAGE, content=CONTENT, resolved='"e7"', bytes=90_000_000, files=1
    ).model_dump_json(by_alias=True)


def failed(before: World, said: str, **changes: Any) -> World:
    """Let the newest job fail with these words."""
    pod = PodView("pod-1", before.now, "node-1", containers=(ended("look", said, 3, "Error"),))
    how = ("PodFailurePolicy", "exit code 3")
    return before.job(failure=how, finished_at=before.now, pods=(pod,), **changes)


def the_job(found: World) -> FetchJob:
    (job,) = found.decide().jobs
    assert isinstance(job, FetchJob)
    return job


def source_of(status: EdgeModelStatus) -> ArtifactStatus:
    """Return what the source was resolved to."""
    found = status.artifact(Role.SOURCE)
    assert found is not None
    return found


def test_a_source_of_another_scheme_is_fetched_then_assessed_by_the_image() -> None:
    start = fetching(credentialsSecretName="reader", endpoint="https://minio", sizeLimit="1Gi")
    plan = the_job(start).plan
    assert (plan.role, plan.uri, plan.secret) == (Role.SOURCE, URI, "reader")
    assert (plan.endpoint, plan.size_limit) == ("https://minio", 2**30)
    assert plan.registry.repository == "skerry/assist/intent"
    done = start.step().job_ends(report()).decide()
    (assess,) = done.jobs
    assert isinstance(assess, AssessJob)
    assert pinned_reference(assess.source) == f"{IMAGE}@{DIGEST}"
    fetched = source_of(done.status).fetched
    assert fetched is not None
    assert (fetched.content, fetched.resolved, fetched.bytes) == (CONTENT, '"e7"', 90_000_000)
    assert source_of(done.status).digest == DIGEST


def test_what_came_in_is_kept_whatever_else_changes() -> None:
    done = fetching().step().job_ends(report()).step()
    alone = done.with_(jobs=(), pins=Pins({Role.DATASET: Pin(DATASET)}))
    changed = alone.model(rollout={"traffic": [5]}, source={"uri": URI, "credentialsSecretName": "x"})
    assert not [job for job in changed.decide().jobs if isinstance(job, FetchJob)]
    assert source_of(changed.decide().status).digest == DIGEST


@pytest.mark.parametrize("changed", [{"uri": f"{URI}x"}, {"digest": OTHER}, {"region": "eu"}])
def test_another_address_or_pin_is_fetched_again(changed: dict[str, str]) -> None:
    done = fetching().step().job_ends(report()).step().with_(jobs=())
    again = done.model(source={"uri": URI, **changed})
    assert isinstance(again.decide().jobs[0], FetchJob)
    assert source_of(again.decide().status).digest == DIGEST, "what served is still reported"


def test_a_retry_looks_again_and_the_same_content_makes_no_other_variant() -> None:
    done = fetching().step().job_ends(report()).step().with_(jobs=())
    again = done.annotated(retry="1")
    assert the_job(again).plan.uri == URI
    same = again.step().job_ends(report()).settle()
    assert same.snapshot.model.status.retry_nonce == "1"
    assert source_of(same.snapshot.model.status).digest == DIGEST
    assert not [job for job in same.decide().jobs if isinstance(job, FetchJob)]


def test_the_size_limit_is_the_installation_s_at_most() -> None:
    assert the_job(fetching(sizeLimit="900Gi")).plan.size_limit == 10 * 2**30


def test_the_size_of_a_fetch_is_reported() -> None:
    started = fetching().step()
    looked = (
        ended("look", '90.0 MB in 1 file, version "e7"'),
        ContainerView("fetch", ContainerPhase.RUNNING, started_at=NOW),
    )
    running = started.job(pods=(PodView("pod-1", NOW, "node-1", containers=looked),))
    (target,) = running.decide().status.targets
    assert (target.phase, target.reason) == (Phase.PENDING, "Fetching")
    assert f'fetches {URI}: 90.0 MB in 1 file, version "e7", since 12:00:00 UTC' in target.message


def test_what_the_fetcher_says_is_the_reason() -> None:
    text = "s3://models/intent.onnx: access is denied (AccessDenied); see Secret reader"
    down = failed(fetching().step(), f"SourceAccessDenied: {text}")
    decision = down.decide()
    (target,) = decision.status.targets
    assert (target.phase, target.reason) == (Phase.FAILED, "SourceAccessDenied")
    assert text in target.message
    assert "next try at 12:01:00 UTC" in target.message
    accepted = condition_of(decision.status.conditions, "Accepted")
    assert accepted is not None
    assert accepted.status == "False"
    assert condition_of(decision.status.conditions, "Stalled") is not None
    assert decision.requeue_after == 60


def test_it_is_tried_again_ever_later_and_old_tries_go() -> None:
    down = failed(fetching().step(), "SourceNotFound: s3://models/intent.onnx: no such file")
    first = down.snapshot.jobs[-1].name
    assert not down.decide().jobs
    second = down.later(60)
    job = the_job(second)
    assert job.made.name != first
    assert second.decide().deletions.jobs == (first,)
    again = failed(second.step(), "SourceNotFound: s3://models/intent.onnx: no such file")
    assert not again.later(60).decide().jobs
    assert the_job(again.later(121)).made.retry.endswith("#3")
    assert pause_after(40).total_seconds() == 1800


def test_a_change_of_the_spec_is_tried_at_once() -> None:
    down = failed(fetching().step(), "SourceSecretUnusable: Secret reader is not there")
    assert the_job(down.model(source={"uri": URI, "credentialsSecretName": "reader"}))


def test_slots_are_shared_by_all_models() -> None:
    start = fetching()
    full = start.with_(slots=BuildSlots(fetching=2))
    (target,) = full.decide().status.targets
    assert not full.decide().jobs
    assert (target.phase, target.reason) == (Phase.PENDING, "FetchQueued")
    assert full.decide().status.awaited_slot is JobSlot.FETCH
    assert start.decide().status.awaited_slot is None
    both = edge_model(
        "x86", source={"uri": URI}, evaluation={"dataset": {"uri": "pvc://data/x.npz"}, "metric": "Accuracy"}
    )  # fmt: skip
    one_left = start.with_(model=both, pins=Pins(), slots=BuildSlots(fetching=1))
    assert len(one_left.decide().jobs) == 1


def test_a_failed_fetch_leaves_what_serves_alone() -> None:
    before = fetching().step().job_ends(report()).step()
    moved = before.model(source={"uri": "https://host/gone.onnx"}).step()
    down = failed(moved, "SourceNotFound: https://host/gone.onnx: no such file").decide()
    assert down.deletions.daemonsets == ()
    assert down.deletions.routes == ()
    assert source_of(down.status).digest == DIGEST


def test_a_private_tag_is_looked_up_by_a_job_and_pulled_with_the_secret() -> None:
    uri = "oci://private.example/intent:3"
    start = fetching(uri=uri, credentialsSecretName="pull")
    assert the_job(start).plan.uri == uri
    found = FetchReport(digest=DIGEST, resolved="3").model_dump_json(by_alias=True)
    (assess,) = start.step().job_ends(found).decide().jobs
    assert isinstance(assess, AssessJob)
    assert pinned_reference(assess.source) == f"private.example/intent@{DIGEST}"
    assert assess.source.pull_secret_name == "pull"  # noqa: S105


def kit(**source: Any) -> World:
    """Return an EdgeModel whose public source is a model artifact, as the registry said."""
    new = world(source={"uri": "oci://reg.example/zoo/intent:3", **source})
    return new.with_(pins=Pins({Role.DATASET: Pin(DATASET)}, kits=frozenset({Role.SOURCE})))


def test_a_public_model_artifact_is_fetched_and_stays_so_once_the_registry_is_forgotten() -> None:
    start = kit()
    assert the_job(start).plan.uri == "oci://reg.example/zoo/intent:3"
    done = start.step().job_ends(report()).step()
    later = done.with_(jobs=(), pins=Pins({Role.DATASET: Pin(DATASET)})).decide()
    assert not [job for job in later.jobs if isinstance(job, FetchJob)]
    source = source_of(later.status)
    assert (source.digest, source.fetched and source.fetched.image) == (DIGEST, IMAGE)


def test_an_image_of_kserve_is_fetched_whoever_may_read_it() -> None:
    start = fetching(uri="oci+native://reg.example/zoo/intent:3", digest=OTHER)
    assert (the_job(start).plan.uri, the_job(start).plan.pin) == (
        "oci+native://reg.example/zoo/intent:3", OTHER,
    )  # fmt: skip


def private() -> World:
    """Return an EdgeModel with a private source, which the Pinner takes for an image where it is pinned."""
    source = {"uri": "oci://private.example/intent:3", "credentialsSecretName": "pull"}
    new = world(source={**source, "digest": OTHER})
    pinned_source = PinnedArtifact(uri=source["uri"], digest=OTHER, pull_secret_name="pull")  # noqa: S106
    return new.with_(pins=Pins({Role.DATASET: Pin(DATASET), Role.SOURCE: Pin(pinned_source)}))


def test_what_is_private_and_pinned_is_looked_at_since_it_may_be_a_model_artifact() -> None:
    start = private()
    assert the_job(start).plan.pin == OTHER
    (assess,) = start.step().job_ends(report()).decide().jobs
    assert isinstance(assess, AssessJob)
    assert pinned_reference(assess.source) == f"{IMAGE}@{DIGEST}"
    image = FetchReport(digest=OTHER, resolved="3").model_dump_json(by_alias=True)
    (assess,) = start.step().job_ends(image).decide().jobs
    assert isinstance(assess, AssessJob)
    assert pinned_reference(assess.source) == f"private.example/intent@{OTHER}"
    assert assess.source.pull_secret_name == "pull"  # noqa: S105


def test_what_is_private_and_pinned_is_mounted_without_a_fetcher_and_where_it_was_before() -> None:
    start = private()
    sources = start.snapshot.config.sources.model_copy(update={"fetcher_image": None})
    without = start.snapshot.config.model_copy(update={"sources": sources})
    before = start.with_(config=without)
    (assess,) = before.decide().jobs
    assert isinstance(assess, AssessJob)
    assert pinned_reference(assess.source) == f"private.example/intent@{OTHER}"
    upgraded = before.step().with_(config=start.snapshot.config)
    assert source_of(upgraded.decide().status).digest == OTHER
    assert not [job for job in upgraded.decide().jobs if isinstance(job, FetchJob)]


def test_a_missing_fetcher_is_reported() -> None:
    start = fetching()
    without = start.snapshot.config.model_copy(
        update={"sources": start.snapshot.config.sources.model_copy(update={"fetcher_image": None})}
    )
    status = start.with_(config=without).decide().status
    assert status.targets[0].reason == "FetcherMissing"
    accepted = condition_of(status.conditions, "Accepted")
    assert accepted is not None
    assert (accepted.status.value, accepted.reason) == ("False", "FetcherMissing")
    assert "images.fetcher" in status.targets[0].message


def test_an_unreadable_report_is_reported() -> None:
    decision = fetching().step().job_ends("{").decide()
    (target,) = decision.status.targets
    assert target.reason == "FetchUnreadable"
    assert not decision.jobs


def test_the_other_artifact_s_trouble_is_not_hidden() -> None:
    start = replace(fetching())
    cause = Cause(RegistryReason.NOT_RESOLVED, "oci://x: the registry has no such image or tag")
    down = start.with_(pins=Pins(state=BuildState.REJECTED, cause=cause))
    (target,) = down.decide().status.targets
    assert target.reason == "SourceNotResolved"
    assert isinstance(down.decide().jobs[0], FetchJob)
