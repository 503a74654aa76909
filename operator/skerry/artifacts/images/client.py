"""Moves images to and from a registry with oras, and turns what goes wrong into words for people.

oras' own retries sleep for two minutes and its requests have no time limit. Here a request has one, and
is tried again as long as the patience lasts: a registry that is busy costs no job what it has measured.
After that the stage fails, and the Job's backoff tries it again. Credentials go to the registry and to
the server of tokens that it names, and to no other host.
"""

from __future__ import annotations

import json
import re
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import oras.auth
import oras.container
import oras.provider
import requests
from requests.adapters import HTTPAdapter

from skerry.artifacts.images.image import MANIFEST_TYPE, Image, RemoteImage, digest_of_bytes
from skerry.artifacts.images.layers import digest_of, unpack
from skerry.artifacts.images.patience import Patience
from skerry.jobs.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.artifacts.images.image import RemoteLayer
    from skerry.jobs.plans import RegistryAccess

CONNECT_SECONDS = 10.0
CHUNK = 1 << 16
MANIFEST_BYTES = 4 * 2**20
"""What the specification has registries accept."""
SHORT, JOB = Patience(busy=2.0, away=2.0), Patience(busy=600.0, away=120.0)
"""For somebody who waits at a terminal; for a stage of a job."""
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""What `manifest` takes in addition to Skerry's own kind of manifest."""

OWN_SECRET = "the operator's registry.pushSecret"  # noqa: S105 - a field's name

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
READ_SECONDS = 120.0
"""Between two bytes of an answer; a registry that checks a large blob is silent that long."""


class RegistryError(StageError):
    """The registry was not reached (`status` 0), or refused with this HTTP status."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class _Adapter(HTTPAdapter):
    """Limits the time of every request, also of those for tokens, which oras sends itself."""

    def send(self, request: requests.PreparedRequest, *args: Any, **named: Any) -> Any:
        """Send one request."""
        named["timeout"] = named.get("timeout") or (CONNECT_SECONDS, READ_SECONDS)
        return super().send(request, *args, **named)


class _Transport(oras.provider.Registry):  # type: ignore[misc]  # oras has no types
    """oras' registry with time limits, patience, and a fresh token for each refused request."""

    def __init__(self, access: RegistryAccess, secret: str, patience: Patience) -> None:
        self.secret = secret
        self._insecure = access.insecure
        super().__init__(hostname=access.address, insecure=access.insecure)
        self._own = urlsplit(f"//{self.get_container('a').manifest_url('b')}").netloc
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _Adapter(max_retries=patience.retry()))
        # What a proxy variable says about the outside is not meant for the fleet's own registry.
        self.session.trust_env = not access.insecure

    def do_request(  # noqa: PLR0917 - the signature is oras'
        self,
        url: str,
        method: str = "GET",
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        json: Any = None,
        stream: bool = False,  # noqa: FBT001, FBT002
    ) -> requests.Response:
        """Send one request; when the registry asks for credentials, once more with them."""

        def send(headers: dict[str, str]) -> requests.Response:
            answer: requests.Response = self.session.request(
                method, url, data=data, json=json, headers=headers, stream=stream,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )  # fmt: skip
            return answer

        # The registry decides where an upload continues; its credentials stay with it.
        own = urlsplit(url).netloc == self._own
        response = send({**(headers or {}), **(self._authorization() if own else {})})
        if own and response.status_code == requests.codes.unauthorized:
            response = send({**(headers or {}), **self._asked_for(response)})
        absent = method in {"GET", "HEAD"} and response.status_code == requests.codes.not_found
        if not response.ok and not absent:
            raise RegistryError(_reason(response, self.secret), response.status_code)
        return response

    def _authorization(self) -> dict[str, str]:
        return self.auth.get_auth_header() if self.auth.token else {}

    def _asked_for(self, response: requests.Response) -> dict[str, str]:
        """Return the credentials that a refusing answer asks for, if we have such."""
        basic = getattr(self.auth, "_basic_auth", None)
        if response.headers.get("WWW-Authenticate", "").lower().startswith("basic"):
            return {"Authorization": f"Basic {basic}"} if basic else {}
        realm = dict(_CHALLENGE.findall(response.headers.get("WWW-Authenticate", ""))).get(
            "realm", ""
        )
        if urlsplit(realm).scheme != "https" and not self._insecure:
            raise RegistryError(f"it sends for a token to {realm!r}, which is not HTTPS")
        # A token is good for one scope: the one that allowed reading does not allow a push.
        headers, _ = self.auth.authenticate_request(response, {}, refresh=True)
        return dict(headers)


class RegistryClient:
    """Pushes to and pulls from one repository.

    Args:
        access: Where the repository is, and the path of credentials, if any.
        secret: Where the credentials come from, for messages.
        patience: How long a registry that is busy or away is waited for.
    """

    def __init__(
        self, access: RegistryAccess, secret: str = OWN_SECRET, patience: Patience = SHORT
    ) -> None:
        """Read the credentials; nothing is sent yet.

        Raises:
            RegistryError: The mounted credentials can't be read.
        """
        self._secret = secret
        self._name = f"{access.address}/{access.repository}"
        self._transport = _Transport(access, secret, patience)
        if access.docker_config:
            self._read_credentials(Path(access.docker_config))

    def push(self, image: Image, tag: str | None = None) -> str:
        """Push an image, layers that are there already left out.

        Returns:
            Its digest, by which it is pulled; with `tag`, also by that name.

        Raises:
            RegistryError: The registry was not reached, or refused.
        """
        with self._errors("push to"), tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "config.json"
            config.write_bytes(image.config)
            self._push_blob(config, digest_of_bytes(image.config), len(image.config))
            for layer in image.layers:
                self._push_blob(layer.path, layer.digest, layer.size)
            self._manifest("PUT", tag or image.digest, image.manifest)
        return image.digest

    def find(self, reference: str) -> RemoteImage | None:
        """Return the image of a tag or digest, or nothing if there is none.

        Raises:
            RegistryError: The registry was not reached, or refused.
        """
        with self._errors("read from"):
            response = self._manifest("GET", reference)
            if response.status_code == requests.codes.not_found:
                return None
            return RemoteImage.parse(response.content)

    def manifest(self, reference: str) -> bytes | None:
        """Return the manifest, of one image or of several, that a tag or digest names now.

        Returns:
            None if there is no such repository, tag or digest.

        Raises:
            RegistryError: The registry was not reached, refused, or gave more than a manifest may have.
        """
        with self._errors("read from"):
            response = self._manifest(
                "GET", reference, accept=(MANIFEST_TYPE, *INDEX_TYPES), stream=True
            )
            with response:
                if response.status_code == requests.codes.not_found:
                    return None
                content = bytearray()
                for chunk in response.iter_content(CHUNK):
                    content += chunk
                    if len(content) > MANIFEST_BYTES:
                        raise RegistryError(f"the manifest has more than {MANIFEST_BYTES} bytes")
                return bytes(content)

    def blob(self, digest: str, offset: int = 0) -> Iterator[bytes]:
        """Yield what a blob has from an offset on, as it comes in.

        An offset that the registry does not know how to begin at gives an empty chunk first, and then all.

        Raises:
            RegistryError: The registry was not reached, refused, or the connection broke.
        """
        container = self._container()
        url = f"{self._transport.prefix}://{container.get_blob_url(digest)}"
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with (
            self._errors("read from"),
            self._transport.do_request(url, headers=headers, stream=True) as response,
        ):
            if response.status_code == requests.codes.not_found:
                raise RegistryError(f"it has no layer {digest}", response.status_code)
            if offset and response.status_code != requests.codes.partial_content:
                yield b""
            yield from response.iter_content(CHUNK)

    def tag(self, image: RemoteImage, tag: str) -> None:
        """Give an image that is there another tag.

        Raises:
            RegistryError: The registry was not reached, or refused.
        """
        with self._errors("push to"):
            self._manifest("PUT", tag, image.manifest)

    def pull(self, layer: RemoteLayer, folder: Path) -> None:
        """Download a layer, check its digest and unpack it into `folder`.

        Raises:
            RegistryError: The registry was not reached, refused, or gave other bytes.
        """
        with self._errors("read from"), tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / "layer.tar"
            self._transport.download_blob(self._container(), layer.digest, str(target))
            with target.open("rb") as content:
                found = digest_of(content)
            if found != layer.digest:
                raise RegistryError(
                    f"asked for the layer {layer.digest}, got {found}; the"
                    " transfer or the registry's storage is damaged"
                )
            unpack(target, folder)

    def _push_blob(self, path: Path, digest: str, size: int) -> None:
        layer = {"digest": digest, "size": size}
        self._transport.upload_blob(str(path), self._container(), layer)

    def _manifest(
        self,
        method: str,
        reference: str,
        data: bytes | None = None,
        accept: tuple[str, ...] = (MANIFEST_TYPE,),
        *,
        stream: bool = False,
    ) -> requests.Response:
        url = f"{self._transport.prefix}://{self._container().manifest_url(reference)}"
        header = "Accept" if data is None else "Content-Type"
        return self._transport.do_request(
            url, method, data=data, headers={header: ", ".join(accept)}, stream=stream
        )

    def _container(self) -> Any:
        return oras.container.Container(self._name)

    def _read_credentials(self, config: Path) -> None:
        try:
            json.loads(config.read_text())
        except (OSError, ValueError) as error:
            raise RegistryError(
                f"the registry's credentials in {config} can't be read ({error}): the Secret of"
                f" {self._secret} must be of type kubernetes.io/dockerconfigjson"
            ) from error
        self._transport.auth.load_configs(self._container(), configs=[str(config)])

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except requests.ConnectionError as error:
            raise RegistryError(
                f"could not {doing} registry {self._name}: it can't be reached from this node"
                f" ({_innermost(error)}). Is it up, and is its address right in the operator's"
                " configuration (registry.address; registry.insecure for plain HTTP)?"
            ) from error
        except (
            RegistryError, tarfile.TarError, requests.RequestException,
            oras.auth.AuthenticationException, ValueError,
        ) as error:  # fmt: skip
            message = f"could not {doing} registry {self._name}: {error}"
            raise RegistryError(message, getattr(error, "status", 0)) from error


ADVICE = {
    requests.codes.unauthorized: "it asks for credentials: see {secret}",
    requests.codes.forbidden: "the credentials of {secret} may not do this",
    requests.codes.request_entity_too_large: "it, or a proxy before it, limits the size of a layer",
    requests.codes.internal_server_error: "it failed; is its disk full?",
    requests.codes.insufficient_storage: "its disk is full: make room there",
}


def _reason(response: requests.Response, secret: str) -> str:
    advice = ADVICE.get(response.status_code, "see the registry's log").format(secret=secret)
    return f"HTTP {response.status_code}{_server_message(response)}: {advice}"


def _server_message(response: requests.Response) -> str:
    try:
        errors = response.json()["errors"]
        return f" ({errors[0]['code']}: {errors[0].get('message', '')})"
    except (ValueError, LookupError, TypeError):
        return ""


def _innermost(error: BaseException) -> str:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
