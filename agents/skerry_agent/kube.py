"""The few calls to the API server that an agent makes, over plain httpx.

Lists and watches go on by themselves: they reconnect with backoff and jitter, start over when the
server has forgotten their version (410), and end silent connections by TCP keep-alive. Without the
API server nothing raises: the agent works on with what it has.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from skerry.api.common import API_VERSION
from skerry_agent.addresses import endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from skerry.api.edgenode import EdgeNodeStatus

log = logging.getLogger(__name__)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FIELD_MANAGER = "skerry-agent"
REQUEST_TIMEOUT_SECONDS = 10.0
WATCH_SECONDS = 290
FIRST_BACKOFF_SECONDS = 0.5
GREATEST_BACKOFF_SECONDS = 15.0
TOO_MANY = 429
GONE = 410
PAGE = 500
KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]

Objects = dict[str, dict[str, Any]]
"""Objects of one list, by namespace/name."""


class Gone(Exception):  # noqa: N818 - the protocol's word
    """The server has forgotten the version that a watch began with."""


@dataclass
class Api:
    """A connection to the API server; `token_file` is read anew for each request."""

    base_url: str
    verify: Any = True
    token_file: Path | None = None
    cert: Any = None
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        """Opens no connection yet."""
        transport = httpx.AsyncHTTPTransport(
            verify=self.verify, cert=self.cert, socket_options=KEEPALIVE, limits=httpx.Limits()
        )
        self.client = httpx.AsyncClient(
            base_url=self.base_url, transport=transport, timeout=REQUEST_TIMEOUT_SECONDS
        )

    @staticmethod
    def in_cluster(environment: dict[str, str]) -> Api:
        """By the service account of the pod."""
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        where = endpoint(environment["KUBERNETES_SERVICE_HOST"], port)
        context = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
        return Api(f"https://{where}", context, SERVICE_ACCOUNT / "token")

    def _headers(self) -> dict[str, str]:
        if self.token_file is None:
            return {}
        return {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}

    async def list(self, path: str, query: dict[str, str]) -> tuple[Objects, str]:
        """All objects of a list, page by page, and the version to watch from."""
        found: Objects = {}
        page = {**query, "limit": str(PAGE)}
        while True:
            answer = await self.client.get(path, params=page, headers=self._headers())
            answer.raise_for_status()
            body = answer.json()
            found |= {key_of(item): item for item in body["items"]}
            page["continue"] = body["metadata"].get("continue", "")
            if not page["continue"]:
                return found, body["metadata"]["resourceVersion"]

    async def watch(
        self, path: str, query: dict[str, str], version: str
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """(type, object) of each event until the server ends the watch.

        Raises:
            Gone: list again.
        """
        asked = {
            **query,
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = httpx.Timeout(REQUEST_TIMEOUT_SECONDS, read=WATCH_SECONDS + 30)
        async with self.client.stream(
            "GET", path, params=asked, headers=self._headers(), timeout=timeout
        ) as answer:
            if answer.status_code == GONE:
                raise Gone
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise Gone
                yield event["type"], event["object"]

    async def apply(self, path: str, body: dict[str, Any]) -> None:
        """Server-side apply; raises httpx.HTTPError when the server refuses or is away."""
        answer = await self.client.patch(
            path,
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            headers={**self._headers(), "Content-Type": "application/apply-patch+yaml"},
            content=json.dumps(body),
        )
        if answer.is_error:
            log.warning("%s was refused (%d): %s", path, answer.status_code, answer.text[:300])
        answer.raise_for_status()

    async def report(self, node: str, status: EdgeNodeStatus) -> None:
        """Writes the status of this device's EdgeNode."""
        await self.apply(
            f"/apis/{API_VERSION}/edgenodes/{node}/status",
            {
                "apiVersion": API_VERSION,
                "kind": "EdgeNode",
                "metadata": {"name": node},
                "status": status.to_wire(),
            },
        )

    async def beat(self, namespace: str, node: str, seconds: float) -> None:
        """Renews this device's Lease, which stands for `seconds`."""
        name = f"skerry-agent-{node}"
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        await self.apply(
            f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}",
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "holderIdentity": node,
                    "renewTime": now,
                    "leaseDurationSeconds": max(1, int(2 * seconds)),
                },
            },
        )


def key_of(item: dict[str, Any]) -> str:
    """namespace/name of an object."""
    metadata = item["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


@dataclass
class Mirror:
    """A list that follows the API server; `changed` is called after each change."""

    api: Api
    path: str
    query: dict[str, str]
    changed: Callable[[], None]
    objects: Objects = field(default_factory=dict)
    synced: bool = False

    async def run(self) -> None:
        """Lists and watches until cancelled."""
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._follow()
                backoff = FIRST_BACKOFF_SECONDS
            except Gone:
                backoff = FIRST_BACKOFF_SECONDS
            except (httpx.HTTPError, OSError, ValueError, KeyError) as error:
                log.info("%s: %s; trying again in %.1f s", self.path, _short(error), backoff)
                await asyncio.sleep(_wait(error, backoff))
                backoff = min(2 * backoff, GREATEST_BACKOFF_SECONDS)

    async def _follow(self) -> None:
        self.objects, version = await self.api.list(self.path, self.query)
        self.synced = True
        self.changed()
        while True:
            async for kind, item in self.api.watch(self.path, self.query, version):
                version = item["metadata"]["resourceVersion"]
                if kind != "BOOKMARK":
                    self._take(kind, item)

    def _take(self, kind: str, item: dict[str, Any]) -> None:
        if kind == "DELETED":
            self.objects.pop(key_of(item), None)
        else:
            self.objects[key_of(item)] = item
        self.changed()


def _wait(error: Exception, backoff: float) -> float:
    """With jitter; as long as the server asks for when it is overloaded."""
    asked = 0.0
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == TOO_MANY:
        asked = float(error.response.headers.get("Retry-After", "1"))
    return asked + backoff * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def _short(error: Exception) -> str:
    return f"{type(error).__name__} {error}".splitlines()[0][:160]
