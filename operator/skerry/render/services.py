"""The model's name in its namespace: an ExternalName Service that points to the gateway's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.render import parts

if TYPE_CHECKING:
    from skerry.api.config import GatewaySettings
    from skerry.render.parts import Object, Owner


def service(owner: Owner, gateway: GatewaySettings) -> Object:
    """Return the Service that makes http://NAME.NAMESPACE.svc reach the caller's own node's gateway."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": parts.metadata(owner, owner.name, parts.labels(owner)),
        "spec": {
            "type": "ExternalName",
            "externalName": f"{gateway.service}.{gateway.namespace}.svc.cluster.local",
        },
    }
