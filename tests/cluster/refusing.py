"""What makes a real API server refuse writes: quotas, admission policies, names that are taken."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from skerry.cluster.kinds import Kind
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.api import Api
    from tests.cluster.conftest import Kubectl
    from tests.cluster.world import World

QUOTA = Kind("v1", "ResourceQuota", "resourcequotas", namespaced=True)
POLICY_SECONDS = 60.0


@contextmanager
def another_namespace(world: World, name: str) -> Iterator[World]:
    """Yield the same world in a namespace of its own."""
    world.kubectl("create", "namespace", name)
    yield replace(world, kubectl=world.kubectl.within(name))
    world.kubectl("delete", "namespace", name, "--wait=false")


@contextmanager
def no_room(api: Api, namespace: str, name: str, **hard: str) -> Iterator[None]:
    """Yield while a ResourceQuota, counted by its controller, leaves no room; delete it at the end."""
    metadata = {"name": name, "namespace": namespace}
    made = api.create(QUOTA, {"metadata": metadata, "spec": {"hard": hard}})
    wait_for(
        "the quota to be counted",
        lambda: api.get(QUOTA, namespace, name).get("status", {}).get("hard"),
        lambda counted: counted == hard,
        POLICY_SECONDS,
    )
    yield
    api.delete(QUOTA, made)


@contextmanager
def policy(
    kubectl: Kubectl, name: str, rule: dict[str, Any], refuses: str, probe: dict[str, Any]
) -> Iterator[None]:
    """Yield while a ValidatingAdmissionPolicy is enforced; delete it at the end.

    Args:
        kubectl: of the administrator.
        name: of the policy.
        rule: of `matchConstraints.resourceRules`.
        refuses: CEL; what it holds for is refused.
        probe: an object that it refuses, to tell that it is at work.
    """
    api = "admissionregistration.k8s.io/v1"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": f"!({refuses})", "message": "not in this test"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    kinds = {"ValidatingAdmissionPolicy": spec, "ValidatingAdmissionPolicyBinding": binding}
    for kind, content in kinds.items():
        kubectl.apply(
            {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": content}
        )
    flags = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--filename=-")
    wait_for(
        f"policy {name} to be at work",
        lambda: kubectl.tried(*flags, stdin=probe).stderr,
        lambda said: f"'{name}'" in said,
        POLICY_SECONDS,
    )
    try:
        yield
    finally:
        for kind in reversed(kinds):
            kubectl("delete", kind, name)


def rule(group: str, version: str, resource: str, *operations: str) -> dict[str, Any]:
    """Return a rule of `matchConstraints`."""
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "resources": [resource],
        "operations": list(operations or ("CREATE", "UPDATE")),
    }
