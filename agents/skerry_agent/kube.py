"""The few calls to the API server that an agent makes, over plain httpx.

Lists and watches recover by themselves: they reconnect with backoff and jitter, start over when the
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
from email.utils import parsedate_to_datetime
from math import isnan
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import httpx

from skerry.api.common import API_VERSION
from skerry_agent import bounded
from skerry_agent.addresses import endpoint
from skerry_agent.times import as_date

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from skerry.api.edgenode import EdgeNodeStatus

log = logging.getLogger(__name__)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FIELD_MANAGER = "skerry-agent"
REQUEST_TIMEOUT_SECONDS = 10.0
"""Without a byte; a whole answer may take longer over a slow link."""
ANSWER_SECONDS = 120.0
WATCH_SECONDS = 290
FIRST_BACKOFF_SECONDS = 0.5
GREATEST_BACKOFF_SECONDS = 15.0
GREATEST_ASKED_SECONDS = 60.0
"""A server may ask for a pause (Retry-After), but not for an hour without reports."""
SHORT_WATCH_SECONDS = 5.0
"""A watch that ends sooner is no watch: something in between closes it, and the next one waits."""
STEADY_SECONDS = 60.0
"""What went well for so long is not the failure before: the pauses begin small again."""
UNAVAILABLE = 503
TOO_MANY = 429
GONE = 410
PAGE = 250
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
    """A connection to the API server.

    `token_file` is read again for each request, `ca_file` when it changed.
    """

    base_url: str
    verify: Any = True
    token_file: Path | None = None
    cert: Any = None
    ca_file: Path | None = None
    _client: httpx.AsyncClient = field(init=False)
    _ca: object = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Open no connection yet."""
        if self.ca_file is not None:
            self._ca = signature(self.ca_file)
            self.verify = ssl.create_default_context(cafile=str(self.ca_file))
        self._connect()

    @property
    def client(self) -> httpx.AsyncClient:
        """The client, with the certificate authority that the file names now.

        Requests and watches that are under way end on the client that they began with.
        """
        if self.ca_file is not None and signature(self.ca_file) not in {None, self._ca}:
            self._trust(self.ca_file)
        return self._client

    def _trust(self, ca_file: Path) -> None:
        found = signature(ca_file)
        try:
            self.verify = ssl.create_default_context(cafile=str(ca_file))
        except (OSError, ValueError) as error:  # half written: the next request looks again
            log.warning("%s can't be used yet: %s", ca_file, error)
            return
        self._ca = found
        log.info("%s changed: its certificates are trusted from now on", ca_file)
        self._connect()

    def _connect(self) -> None:
        transport = httpx.AsyncHTTPTransport(
            verify=self.verify, cert=self.cert, socket_options=KEEPALIVE, limits=httpx.Limits()
        )
        self._client = httpx.AsyncClient(
            base_url=self.base_url, transport=transport, timeout=REQUEST_TIMEOUT_SECONDS
        )

    @staticmethod
    def in_cluster(environment: dict[str, str]) -> Api:
        """Return an API client that uses the pod's service account."""
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        where = endpoint(environment["KUBERNETES_SERVICE_HOST"], port)
        files = SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt"
        return Api(f"https://{where}", token_file=files[0], ca_file=files[1])

    def _headers(self) -> dict[str, str]:
        if self.token_file is None:
            return {}
        return {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}

    async def list(self, path: str, query: dict[str, str]) -> tuple[Objects, str]:
        """Return all objects of a list, read page by page, and the version to watch from."""
        found: Objects = {}
        page = {**query, "limit": str(PAGE)}
        while True:
            try:
                body = await self._page(path, page)
            except bounded.TooLargeError:
                if page["limit"] == "1":
                    raise
                page["limit"] = str(int(page["limit"]) // 4 or 1)
                continue
            found |= {key_of(item): item for item in body["items"]}
            page["continue"] = body["metadata"].get("continue", "")
            if not page["continue"]:
                return found, body["metadata"]["resourceVersion"]

    async def _page(self, path: str, page: dict[str, str]) -> dict[str, Any]:
        answer = await bounded.fetch(
            self.client, "GET", path, seconds=ANSWER_SECONDS, params=page, headers=self._headers()
        )
        answer.head.raise_for_status()
        body: dict[str, Any] = bounded.parse(answer.body)
        return body

    async def watch(
        self, path: str, query: dict[str, str], version: str
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield (type, object) of each event until the server ends the watch.

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
        headers = {**self._headers(), **bounded.PLAIN}
        async with self.client.stream(
            "GET", path, params=asked, headers=headers, timeout=timeout
        ) as answer:
            if answer.status_code == GONE:
                raise Gone
            answer.raise_for_status()
            async for line in bounded.lines(answer):
                event = bounded.parse(line)
                if event["type"] == "ERROR":
                    raise Gone
                yield event["type"], event["object"]

    async def apply(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Apply the object server-side and return it as the API server stored it.

        Raises httpx.HTTPError, OSError or ValueError when the server refuses or is away.
        """
        answer = await bounded.fetch(
            self.client,
            "PATCH",
            path,
            seconds=ANSWER_SECONDS,
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            headers={**self._headers(), "Content-Type": "application/apply-patch+yaml"},
            content=json.dumps(body),
        )
        if answer.head.is_error:
            log.warning("%s was refused (%d): %s", path, answer.head.status_code, answer.text)
        answer.head.raise_for_status()
        written: dict[str, Any] = bounded.parse(answer.body)
        return written

    async def report(self, node: str, status: EdgeNodeStatus) -> dict[str, Any]:
        """Write the status of this device's EdgeNode, and return the EdgeNode."""
        return await self.apply(
            f"/apis/{API_VERSION}/edgenodes/{node}/status",
            {
                "apiVersion": API_VERSION,
                "kind": "EdgeNode",
                "metadata": {"name": node},
                "status": status.to_wire(),
            },
        )

    async def beat(self, namespace: str, node: str, seconds: float) -> None:
        """Renew this device's Lease, which is valid for `seconds`."""
        name = f"skerry-agent-{node}"
        now = as_date(time()).isoformat(timespec="microseconds").replace("+00:00", "Z")
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
    """Return namespace/name of an object."""
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
        """List and watch until cancelled."""
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            began = monotonic()
            try:
                await self._follow()
            except Gone as error:
                problem: Exception = error
            except (httpx.HTTPError, OSError, ValueError, LookupError, TypeError) as error:
                problem = error
                log.info("%s: %s; trying again in %.1f s", self.path, _short(error), backoff)
            if monotonic() - began > STEADY_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            await asyncio.sleep(pause(problem, backoff))
            backoff = min(2 * backoff, GREATEST_BACKOFF_SECONDS)

    async def _follow(self) -> None:
        """List, and watch until something fails; a watch that ends at once is not restarted in a hot loop."""
        self.objects, version = await self.api.list(self.path, self.query)
        self.synced = True
        self.changed()
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            began = monotonic()
            async for kind, item in self.api.watch(self.path, self.query, version):
                version = item["metadata"]["resourceVersion"]
                if kind != "BOOKMARK":
                    self._take(kind, item)
            if monotonic() - began >= SHORT_WATCH_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
                continue
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            backoff = min(2 * backoff, GREATEST_BACKOFF_SECONDS)

    def _take(self, kind: str, item: dict[str, Any]) -> None:
        if kind == "DELETED":
            self.objects.pop(key_of(item), None)
        else:
            self.objects[key_of(item)] = item
        self.changed()


def pause(error: Exception, backoff: float) -> float:
    """Return seconds until the next try: with jitter, and as long as an overloaded server asks for."""
    asked = 0.0
    if isinstance(error, httpx.HTTPStatusError):
        answer = error.response
        if answer.status_code in {TOO_MANY, UNAVAILABLE}:
            asked = retry_after(answer.headers.get("Retry-After"), answer.headers.get("Date"))
    return asked + backoff * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def retry_after(header: str | None, date: str | None = None) -> float:
    """Return the seconds of a Retry-After header: a number or an HTTP date, within a bound.

    A date counts from the server's own `Date`: the device's clock may be wrong.
    """
    if header is None:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        seconds = _until(header, date)
    return 0.0 if isnan(seconds) else min(max(seconds, 0.0), GREATEST_ASKED_SECONDS)


def _until(header: str, date: str | None) -> float:
    try:
        until = parsedate_to_datetime(header).timestamp()
        return until - (parsedate_to_datetime(date).timestamp() if date else time())
    except (ValueError, OverflowError):
        return 1.0


def signature(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file is another one; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _short(error: Exception) -> str:
    return f"{type(error).__name__} {error}".partition("\n")[0][:160]
