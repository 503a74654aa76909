"""Objects of a lab's API server as JSON, over one kept connection: what kubectl would be slow for."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

if TYPE_CHECKING:
    from skerry.cluster.kinds import Kind

Object = dict[str, Any]
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def tls_context(kubeconfig: Path) -> ssl.SSLContext:
    """Return a context with the client certificate of the kubeconfig's first user."""
    loaded = yaml.safe_load(kubeconfig.read_text())
    cluster, user = loaded["clusters"][0]["cluster"], loaded["users"][0]["user"]
    context = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority").decode())
    with tempfile.NamedTemporaryFile(suffix=".pem") as pair:
        pair.write(_pem(user, "client-certificate") + b"\n" + _pem(user, "client-key"))
        pair.flush()
        context.load_cert_chain(pair.name)
    return context


class Api:
    """The API server, as the administrator of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        """Use the first cluster and user of the file."""
        cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        context = tls_context(kubeconfig)
        self._http = httpx.Client(
            base_url=cluster["server"], verify=context, trust_env=False, timeout=20
        )

    def find(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """Return an object; None when there is none."""
        answer = self._http.get(kind.path(namespace, name))
        return None if answer.status_code == httpx.codes.NOT_FOUND else _json(answer)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        """Return an object that must exist."""
        found = self.find(kind, namespace, name)
        assert found is not None, f"{kind.name} {namespace}/{name} is not there"
        return found

    def list(self, kind: Kind, namespace: str | None = None, selector: str = "") -> list[Object]:
        """Return all objects that match a label selector."""
        answer = self._http.get(kind.path(namespace), params={"labelSelector": selector})
        items: list[Object] = _json(answer)["items"]
        return items

    def apply(self, kind: Kind, body: Object, manager: str, subresource: str = "") -> Object | None:
        """Apply the object server-side as a field manager; None when that of a subresource is gone."""
        meta = body["metadata"]
        path = kind.path(meta.get("namespace"), meta["name"], subresource)
        whole = {"apiVersion": kind.api_version, "kind": kind.name, **body}
        query = {"fieldManager": manager, "force": "true"}
        answer = self._http.patch(path, params=query, json=whole, headers={"Content-Type": APPLY})
        gone = subresource and answer.status_code == httpx.codes.NOT_FOUND
        return None if gone else _json(answer)

    def merge(
        self, kind: Kind, item: Object, change: Object, subresource: str = ""
    ) -> Object | None:
        """Merge a change into an object; None when it is gone."""
        meta = item["metadata"]
        path = kind.path(meta.get("namespace"), meta["name"], subresource)
        answer = self._http.patch(path, json=change, headers={"Content-Type": MERGE})
        return None if answer.status_code == httpx.codes.NOT_FOUND else _json(answer)

    def create(self, kind: Kind, body: Object) -> Object:
        """Create an object; one of that name that is there already stays."""
        whole = {"apiVersion": kind.api_version, "kind": kind.name, **body}
        answer = self._http.post(kind.path(body["metadata"].get("namespace")), json=whole)
        if answer.status_code == httpx.codes.CONFLICT:
            return self.get(kind, body["metadata"].get("namespace"), body["metadata"]["name"])
        return _json(answer)

    def delete(self, kind: Kind, item: Object, grace_seconds: int | None = None) -> None:
        """Delete an object; gone already is fine."""
        meta = item["metadata"]
        path = kind.path(meta.get("namespace"), meta["name"])
        body = {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        answer = self._http.request("DELETE", path, json=body)
        if answer.status_code != httpx.codes.NOT_FOUND:
            _json(answer)


def _json(answer: httpx.Response) -> Object:
    assert answer.is_success, f"{answer.request.method} {answer.url}: {answer.text}"
    parsed: Object = answer.json()
    return parsed


def _pem(entry: Object, name: str) -> bytes:
    """Return what a kubeconfig holds inline or by the path of a file."""
    inline = entry.get(f"{name}-data")
    return base64.b64decode(inline) if inline else Path(entry[name]).read_bytes()
