"""Requests to the API server: get, list in pages, server-side apply, delete.

Objects are plain JSON here; the models of `skerry.api` are put on above. Every failure leaves as a
`ClusterError`. Requests are paced, and tried again where trying again can help (429, 5xx, no
connection): all writes are idempotent (server-side apply, delete by uid), events apart.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from skerry.cluster.advice import WEBHOOK_AWAY
from skerry.cluster.errors import ClusterError, NotLeadingError, from_status
from skerry.cluster.pace import TokenBucket, backoff_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes.aio.client import ApiClient

    from skerry.cluster.kinds import Kind

FIELD_MANAGER = "skerry-operator"
PAGE_SIZE = 500
REQUEST_TIMEOUT_SECONDS = 20.0
TRIES = 4
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

_TOO_SLOW = f"no answer within {REQUEST_TIMEOUT_SECONDS:g} s"

Object = dict[str, Any]
_AGAIN = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class Listed(list[Object]):
    """All objects of one list, and its own resourceVersion: of what is not newer, these are all."""

    version: int = 0


class Cluster:
    """One connection to one API server.

    Args:
        api: the library's client.
        field_manager: the name under which objects are applied.
        may_write: asked right before each write, also when one is tried again.
    """

    def __init__(
        self,
        api: ApiClient,
        field_manager: str = FIELD_MANAGER,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._api = api
        self._manager = field_manager
        self._may_write = may_write
        self._bucket = TokenBucket()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """Return the object, or None when there is none."""
        try:
            return await self._request("GET", kind.path(namespace, name))
        except ClusterError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def list(
        self, kind: Kind, namespace: str | None = None, selector: str = "", *, fields: str = ""
    ) -> Listed:
        """Return all objects that match the selectors of labels and fields, read in pages, as of `version`."""
        query = {"limit": str(PAGE_SIZE), "labelSelector": selector, "fieldSelector": fields}
        found = Listed()
        while True:
            page = await self._request("GET", kind.path(namespace), query=query)
            found += page["items"]
            found.version = int(page["metadata"]["resourceVersion"])
            token = page["metadata"].get("continue")
            if not token:
                return found
            query["continue"] = token

    async def apply(
        self,
        kind: Kind,
        body: Object,
        *,
        subresource: str = "",
        force: bool = True,
        dry_run: bool = False,
    ) -> Object:
        """Apply the object server-side.

        With `metadata.uid` in the body, the API server refuses to create or to touch another object
        of that name. Without force, fields that someone else set are a conflict (409). A dry run is
        checked like any other and written nowhere.
        """
        meta = body["metadata"]
        path = kind.path(meta.get("namespace"), meta["name"], subresource)
        query = {"fieldManager": self._manager, "force": str(force).lower()}
        if dry_run:
            query["dryRun"] = "All"
        identity = {"apiVersion": kind.api_version, "kind": kind.name}
        return await self._request(
            "PATCH", path, query=query, body={**identity, **body}, content=APPLY
        )

    async def annotate(
        self, kind: Kind, item: Object, annotations: dict[str, str | None]
    ) -> Object:
        """Merge annotations into this very object (another of its name is a conflict); None removes one."""
        meta = item["metadata"]
        body = {"metadata": {"annotations": annotations, "uid": meta["uid"]}}
        path = kind.path(meta.get("namespace"), meta["name"])
        query = {"fieldManager": self._manager}
        return await self._request("PATCH", path, query=query, body=body, content=MERGE)

    async def create(self, kind: Kind, body: Object) -> Object:
        """Create an object; one of that name that is there already is a conflict (409).

        With `generateName` the API server makes the name up (events).
        """
        identity = {"apiVersion": kind.api_version, "kind": kind.name}
        path = kind.path(body["metadata"].get("namespace"))
        return await self._request("POST", path, body={**identity, **body})

    async def replace(self, kind: Kind, body: Object) -> Object:
        """Put the object as a whole; one that changed since it was read is a conflict (409)."""
        meta = body["metadata"]
        path = kind.path(meta.get("namespace"), meta["name"])
        identity = {"apiVersion": kind.api_version, "kind": kind.name}
        return await self._request("PUT", path, body={**identity, **body})

    async def delete(
        self, kind: Kind, namespace: str | None, name: str, uid: str, version: str | None = None
    ) -> None:
        """Delete this very object; its children go in the background. Gone already is fine.

        With a resourceVersion, one that changed since is a conflict (409).
        """
        wanted = {"uid": uid} | ({"resourceVersion": version} if version else {})
        options = {"preconditions": wanted, "propagationPolicy": "Background"}
        try:
            await self._request("DELETE", kind.path(namespace, name), body=options)
        except ClusterError as error:
            another = error.status == HTTPStatus.CONFLICT and version is None
            if error.status != HTTPStatus.NOT_FOUND and not another:
                raise

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content: str = "application/json",
    ) -> Object:
        where = f"{method} {path}"
        for attempt in range(1, TRIES + 1):
            await self._bucket.take()
            status, text, retry_after = await self._once(method, path, query or {}, body, content)
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                parsed: Object = json.loads(text)
                return parsed
            if attempt == TRIES or not _is_worth_another(status, text):
                raise from_status(status, _message(text), where)
            await asyncio.sleep(backoff_seconds(attempt, retry_after))
        raise AssertionError  # the loop returns or raises

    async def _once(
        self, method: str, path: str, query: dict[str, str], body: Object | None, content: str
    ) -> tuple[int, str, float | None]:
        """Do one HTTP exchange; return status (0: no connection), body, Retry-After in seconds."""
        method, url, headers, sent, _ = await self._api.param_serialize(
            method,
            path,
            query_params=[(key, value) for key, value in query.items() if value],
            header_params={"Content-Type": content, "Accept": "application/json"},
            body=body,
            auth_settings=["BearerToken"],
        )
        if method != "GET" and not self._may_write():
            raise NotLeadingError(f"{method} {path}")
        try:
            answer = await self._api.call_api(
                method, url, headers, sent, _request_timeout=REQUEST_TIMEOUT_SECONDS
            )
            text = (await answer.read()).decode()  # type: ignore[no-untyped-call]
        except TimeoutError:
            # Of this object perhaps: an admission webhook may take longer than we wait.
            return HTTPStatus.GATEWAY_TIMEOUT, _TOO_SLOW, None
        except (aiohttp.ClientError, OSError) as error:
            return 0, f"cannot reach the API server: {error or type(error).__name__}", None
        return answer.status, text, _seconds(answer.headers.get("Retry-After"))


def _is_worth_another(status: int, text: str) -> bool:
    """Return whether an immediate retry may help; a webhook that fails is the object's own problem."""
    if status in _AGAIN:
        return text != _TOO_SLOW and WEBHOOK_AWAY not in text
    return status == 0


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isdigit() else None


def _message(text: str) -> str:
    """Return the API server's message from a metav1.Status, else the text as it came."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:500] or "no message"
