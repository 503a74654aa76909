"""The few calls to a lab's API server that kubectl would be slow for while the lab starts."""

import ssl
from typing import Any

import httpx

from tests.lab.pki import Authority

TIMEOUT_SECONDS = 10.0


class Api:
    """A client of one lab's API server, as its administrator."""

    def __init__(self, url: str, authority: Authority) -> None:
        """Use the administrator's certificate."""
        context = ssl.create_default_context(cafile=authority.certificate("ca"))
        context.load_cert_chain(authority.certificate("admin"), authority.key("admin"))
        self._client = httpx.Client(
            base_url=url, verify=context, timeout=TIMEOUT_SECONDS, trust_env=False
        )

    def ready(self) -> bool:
        """Return whether the API server serves."""
        try:
            return self._client.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def get(self, path: str) -> dict[str, Any]:
        """Return an object or a list."""
        answer: dict[str, Any] = self._client.get(path).raise_for_status().json()
        return answer

    def create(self, path: str, body: dict[str, Any]) -> None:
        """Create an object unless one of its name exists."""
        answer = self._client.post(path, json=body)
        if answer.status_code != httpx.codes.CONFLICT:
            answer.raise_for_status()

    def exists(self, path: str) -> bool:
        """Return whether there is an object at a path."""
        return self._client.get(path).status_code == httpx.codes.OK

    def ready_nodes(self) -> set[str]:
        """Return the names of the nodes whose kubelets say that they are ready."""
        nodes = self.get("/api/v1/nodes")["items"]
        return {node["metadata"]["name"] for node in nodes if _is_ready(node)}


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
