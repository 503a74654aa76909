"""Who may write: a leader that stood still, an API server that was away, decisions that came too late."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from kubernetes.aio.client import ApiClient

from skerry.cluster import kinds
from skerry.cluster.client import Cluster
from skerry.cluster.connect import kubeconfig_configuration
from skerry.cluster.errors import ClusterError, NotLeadingError
from skerry.controllers.fence import fenced
from skerry.controllers.leader import LEASE_NAME, LEASE_SECONDS, RENEW_DEADLINE_SECONDS
from skerry.render import rolebindings
from tests.cluster.operator_process import OperatorProcess
from tests.cluster.world import NAME, ROLLOUT_SECONDS, World, manifest
from tests.device.forward import Forward
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from skerry.cluster.kinds import Kind
    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SYSTEM = "skerry-system"
FIRST = "operator-under-test"
START_SECONDS = 240.0
MINUTE = 90.0
"""What is noticed by the minute's lists."""


def lease(world: World) -> dict[str, Any]:
    found = world.api.find(kinds.LEASE, SYSTEM, LEASE_NAME)
    return dict(found["spec"]) if found else {}


def holder(world: World) -> str:
    return str(lease(world).get("holderIdentity", ""))


@pytest.fixture
def second(control_plane: Lab, world: World, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Yield another operator next to the first."""
    made = OperatorProcess(control_plane.kubeconfig, tmp_path, world.registry, "second")
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def served(world: World) -> Iterator[World]:
    """Yield a world with a Ready model, where the first operator leads."""
    wait_for("the first to lead", lambda: holder(world), lambda h: h == FIRST, START_SECONDS)
    applied = world.kubectl.apply(manifest(world.registry, NAME))
    world.until_ready(applied["metadata"]["generation"])
    yield world
    world.kubectl("delete", "edgemodel", NAME, "--ignore-not-found")


def test_a_leader_that_stood_still_writes_nothing_when_it_wakes(
    served: World, second: OperatorProcess
) -> None:
    """It wakes while the Lease names another, which is dead too: nobody leads, so nobody may write."""
    assert served.operator.process is not None
    second.start()
    wait_for("the second to stand by", second.is_up, bool, START_SECONDS)
    served.operator.process.send_signal(signal.SIGSTOP)
    wait_for(
        "the second to lead", lambda: holder(served), lambda h: h == second.name, 4 * LEASE_SECONDS
    )
    second.stop(signal.SIGKILL)
    changed = served.serve("600m")
    served.operator.process.send_signal(signal.SIGCONT)
    wait_for(
        "the change to be seen",
        lambda: (served.model().status.observed_generation, holder(served)),
        lambda seen: seen[0] == changed or seen[1] == FIRST,
        6 * LEASE_SECONDS,
        every=0.02,
    )
    assert holder(served) == FIRST, "written by one that does not hold the Lease"
    assert lease(served)["leaseTransitions"] > 1
    served.until_ready(changed)
    assert served.operator.process.poll() is None, "it went on in the same process"


@pytest.fixture
def away(control_plane: Lab, tmp_path: Path) -> Iterator[tuple[Forward, Path]]:
    """Yield a path to the API server that can be cut (cut at first), and a kubeconfig that uses it."""
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    forward = Forward(config["clusters"][0]["cluster"]["server"])
    forward.cut()
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{forward.port}"
    kubeconfig = tmp_path / "away.yaml"
    kubeconfig.write_text(yaml.safe_dump(config))
    yield forward, kubeconfig
    forward.close()


def test_an_api_server_that_is_away_ends_no_operator(
    world: World, away: tuple[Forward, Path], tmp_path: Path
) -> None:
    """At its start and later: it tries again in the same process, and leads again at once."""
    forward, kubeconfig = away
    operator = OperatorProcess(kubeconfig, tmp_path, world.registry, "patient")
    world.operator.stop()
    try:
        operator.start()
        wait_for("it to live", operator.is_up, bool, START_SECONDS)
        assert not operator.is_ready(), "its caches can't be filled"
        forward.mend()
        wait_for("its caches", operator.is_ready, bool, START_SECONDS)
        wait_for("it to lead", lambda: holder(world), lambda h: h == operator.name, START_SECONDS)
        forward.cut()
        longer = 2 * LEASE_SECONDS
        wait_for("it to give up", operator.leads, lambda leads: not leads, longer)
        assert operator.is_up()
        before = lease(world)["renewTime"]
        forward.mend()
        back = wait_for(
            "it to renew", lambda: lease(world), lambda s: s["renewTime"] != before, longer
        )
        assert back["holderIdentity"] == operator.name
        wait_for("it to lead again", operator.leads, bool, RENEW_DEADLINE_SECONDS)
        assert operator.process is not None
        assert operator.process.poll() is None
    finally:
        operator.stop()
        world.operator.start()


def test_what_was_deleted_while_no_watch_was_open_is_forgotten(
    world: World, away: tuple[Forward, Path], tmp_path: Path
) -> None:
    """A Job that holds the only slot goes while the API server is away: the next model is built all the same."""
    forward, kubeconfig = away
    operator = OperatorProcess(kubeconfig, tmp_path, world.registry, "forgetful")
    world.operator.stop()
    job = slot_job(world.namespace)
    try:
        world.api.create(kinds.JOB, job)
        forward.mend()
        operator.start()
        wait_for("it to lead", operator.leads, bool, START_SECONDS)
        assert operator.metric("skerry_optimization_jobs") == 1
        forward.cut()
        world.kubectl("delete", "job", job["metadata"]["name"])
        wait_for("the watches to end", operator.leads, lambda leads: not leads, 2 * LEASE_SECONDS)
        forward.mend()
        wait_for(
            "the job to be forgotten",
            lambda: operator.metric("skerry_optimization_jobs"), lambda n: n == 0, MINUTE,
        )  # fmt: skip
    finally:
        operator.stop()
        world.operator.start()


def slot_job(namespace: str) -> dict[str, Any]:
    """Return a job that runs forever, as one of the operator's."""
    labels = {"app.kubernetes.io/managed-by": "skerry", "app.kubernetes.io/component": "optimizer"}
    container = {"name": "c", "image": "none.example/none:1"}
    template = {
        "spec": {"containers": [container], "restartPolicy": "Never", "nodeName": "nowhere"}
    }
    return {
        "metadata": {"name": "slot", "namespace": namespace, "labels": labels},
        "spec": {"template": template},
    }


def test_leases_of_nodes_that_are_gone_are_removed(world: World) -> None:
    name = "skerry-agent-left"
    spec = {"holderIdentity": "left", "renewTime": "2026-11-30T08:00:00.000000Z"}
    body = {"metadata": {"name": name, "namespace": SYSTEM}, "spec": spec}
    kept = {"metadata": {"name": "skerry-agent-op-a1", "namespace": SYSTEM}, "spec": spec}
    for item in (body, kept):
        world.api.apply(kinds.LEASE, item, "agent")
    wait_for(
        "the lease to go",
        lambda: world.api.find(kinds.LEASE, SYSTEM, name), lambda found: found is None, 2 * MINUTE,
    )  # fmt: skip
    assert world.api.find(kinds.LEASE, SYSTEM, "skerry-agent-op-a1") is not None
    world.api.delete(kinds.LEASE, kept)


def test_a_namespace_that_is_made_again_gets_its_rolebinding_at_once(world: World) -> None:
    own = world.kubectl.within("made-again")
    for _ in range(2):
        world.kubectl("create", "namespace", own.namespace)
        own.apply(manifest(world.registry, "there"))
        wait_for(
            "the RoleBinding",
            lambda: world.api.find(kinds.ROLE_BINDING, own.namespace, rolebindings.NAME),
            lambda found: found is not None,
            10.0,
        )
        world.kubectl("delete", "namespace", own.namespace, "--timeout=60s")


def test_a_model_that_is_made_again_under_its_name_has_no_past(served: World) -> None:
    """Reports about the first one count for nothing: nobody has served the second before it has pods."""
    first = served.model().metadata.uid
    served.kubectl("delete", "edgemodel", NAME, "--wait=true")
    served.kubectl.apply(manifest(served.registry, NAME))
    route = wait_for(
        "the new route",
        lambda: served.api.list(kinds.MODEL_ROUTE, served.namespace),
        lambda routes: any(r["spec"].get("edgeModelUID") not in (None, first) for r in routes),
        ROLLOUT_SECONDS,
    )
    assert {r["spec"]["edgeModelUID"] for r in route} == {served.model().metadata.uid}
    served.until_ready(served.model().metadata.generation or 0)


@pytest.fixture
async def cluster(control_plane: Lab) -> AsyncIterator[tuple[Cluster, list[bool]]]:
    """Yield the operator's own connection, and a list whose last item says whether it leads."""
    leads = [True]
    settings, _ = await kubeconfig_configuration(control_plane.kubeconfig, None)
    async with ApiClient(settings) as api:
        yield Cluster(api, may_write=lambda: leads[-1]), leads


async def tries(
    world: World, connection: Cluster, kind: Kind, stale: dict[str, Any], *changes: dict[str, Any]
) -> int:
    """Write over what was read, while somebody else makes a change before each try; how many it took."""
    made = 0

    async def send(fence: dict[str, str]) -> dict[str, Any]:
        nonlocal made
        if made < len(changes):
            world.api.merge(kind, stale, changes[made])
        made += 1
        return await connection.apply(kind, applied_over(stale, fence), dry_run=True)

    await fenced(connection, kind, stale, send)
    return made


def touched(number: int) -> dict[str, Any]:
    return {"metadata": {"annotations": {"touched": str(number)}}}


@pytest.fixture
def still(served: World) -> Iterator[World]:
    """Yield a world in which nobody but the test writes: an operator may retire revisions after Ready."""
    served.operator.stop()
    yield served
    served.operator.start()


async def test_a_busy_object_is_written_without_another_reconcile(
    still: World, cluster: tuple[Cluster, list[bool]]
) -> None:
    connection, _ = cluster
    for kind in (kinds.DAEMON_SET, kinds.MODEL_ROUTE):
        stale = still.api.list(kind, still.namespace)[0]
        assert await tries(still, connection, kind, stale) == 1
        assert await tries(still, connection, kind, stale, touched(1), touched(2)) == 3
        with pytest.raises(ClusterError) as refused:
            await tries(still, connection, kind, stale, *map(touched, range(3, 20)))
        assert refused.value.status == httpx.codes.CONFLICT, "it does not try for ever"


async def test_what_has_changed_since_it_was_decided_is_not_overwritten(
    still: World, cluster: tuple[Cluster, list[bool]]
) -> None:
    connection, _ = cluster
    changes = {
        kinds.DAEMON_SET: {"minReadySeconds": 1},
        kinds.MODEL_ROUTE: {"guard": {"minSamples": 77}},
    }
    for kind, spec in changes.items():
        stale = still.api.list(kind, still.namespace)[0]
        made = tries(still, connection, kind, stale, touched(1), {"spec": spec}, touched(2))
        with pytest.raises(ClusterError, match="changed since it was read") as refused:
            await made
        assert refused.value.status == httpx.codes.CONFLICT


async def test_one_that_does_not_lead_reads_and_writes_nothing(
    served: World, cluster: tuple[Cluster, list[bool]]
) -> None:
    connection, leads = cluster
    leads.append(False)
    found = await connection.list(kinds.MODEL_ROUTE, served.namespace)
    assert found
    assert found.version >= max(int(item["metadata"]["resourceVersion"]) for item in found)
    body = applied_over(found[0], {})
    with pytest.raises(NotLeadingError):
        await connection.apply(kinds.MODEL_ROUTE, body)
    with pytest.raises(NotLeadingError):
        await connection.delete(kinds.MODEL_ROUTE, served.namespace, "any", "uid")


def applied_over(item: dict[str, Any], fence: dict[str, str]) -> dict[str, Any]:
    kept = {key: item["metadata"][key] for key in ("name", "namespace", "uid")}
    return {"metadata": kept | fence, "spec": item["spec"]}
