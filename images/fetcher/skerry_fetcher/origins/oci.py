"""What lies in a registry: images, KServe's with the model below /models, ModelKits and ModelPack artifacts.

Of an image whose root holds the files the digest is all that is wanted: kubelets pull the rest. They can't
mount a model artifact, and of KServe's images (oci+native://, where KServe mounts /models alone) jobs need
one folder: layers of these are fetched, by ranges where the line breaks.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from skerry.api.artifact import MODEL_CAR, scheme_of
from skerry.api.reasons import FetchRefusal
from skerry.artifacts.busy import BUSY
from skerry.artifacts.images import JOB, RegistryClient, RegistryError
from skerry.artifacts.images.image import digest_of_bytes
from skerry.artifacts.kits import is_kit
from skerry.artifacts.registry import split
from skerry.jobs.plans import RegistryAccess
from skerry_fetcher.credentials import Credentials
from skerry_fetcher.errors import BrokenError, RefusedError, denied
from skerry_fetcher.listing import Listing
from skerry_fetcher.manifests import image_layers, kit_layers, one_of, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.jobs.plans import FetchPlan
    from skerry.jobs.scratch import Workspace
    from skerry_fetcher.listing import RemoteFile
    from skerry_fetcher.sink import Sink

KEY = ".dockerconfigjson"
NOT_FOUND = 404
WAITED_FOR = {0, *BUSY}
"""Without an answer, or with: later. The client has asked again already, as long as is of use."""
DEEPEST = 3
"""Indexes in indexes that are followed."""


class InRegistry:
    """The image or artifact of an oci or oci+native uri."""

    def __init__(self, plan: FetchPlan, workspace: Workspace) -> None:
        """Read the credentials; nothing is sent yet."""
        credentials = Credentials.of(plan, workspace)
        credentials.check((KEY,))
        self._where, self._secret, self._role = plan.uri, credentials.secret, plan.role
        host, repository, tag = split(plan.uri)
        self._tag, self._pin = tag, plan.pin
        access = RegistryAccess(
            address=host,
            repository=repository,
            insecure=plan.registry.insecure and host == plan.registry.address,
            docker_config=str(credentials.file(KEY)) if credentials.secret else None,
        )
        secret = f"Secret {self._secret} (credentialsSecretName)"
        self._client = RegistryClient(access, secret, JOB)

    def look(self) -> Listing:
        """Return the layers to fetch; of an image that kubelets mount, no files and its digest."""
        digest, named = self._manifest(self._pin or self._tag)
        kit, is_car = is_kit(named), scheme_of(self._where) == MODEL_CAR
        if not kit and not is_car:
            return Listing(resolved=self._tag, digest=digest)
        manifest = self._one_of(named)
        if not is_car:
            layers = kit_layers(manifest, self._role, self._where)
        elif kit or is_kit(manifest):
            raise RefusedError(
                FetchRefusal.WRONG_FORMAT,
                f"{self._where}: it is a model artifact, and no image with /models; write oci:// instead",
            )
        else:
            layers = image_layers(manifest, self._where)
        return Listing(layers=layers, manifest=digest, folder=True, resolved=digest)

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        """Ask for what is missing of a layer."""
        if sink.is_complete:
            return
        with self._errors(resumed=True):
            for chunk in self._client.blob(file.validator, sink.offset):
                if chunk:
                    sink.write(chunk)
                else:
                    sink.restart()

    def _one_of(self, named: dict[str, Any]) -> dict[str, Any]:
        """Return the manifest with the layers, which an index may name."""
        found = named
        for _ in range(DEEPEST):
            digest = one_of(found, self._where)
            if digest is None:
                return found
            _, found = self._manifest(digest)
        return found

    def _manifest(self, reference: str) -> tuple[str, dict[str, Any]]:
        """Return a manifest or index and its digest, which is the one asked for."""
        with self._errors(resumed=False):
            content = self._client.manifest(reference)
        if content is None:
            raise RefusedError(
                FetchRefusal.NOT_FOUND,
                f"{self._where}: the registry has no such image or tag; check the name, or push it",
            )
        digest = digest_of_bytes(content)
        if ":" in reference and digest != reference:
            raise RefusedError(
                FetchRefusal.WRONG_DIGEST,
                f"{self._where}: asked for {reference}, the registry gave {digest}; its storage is damaged",
            )
        return digest, parsed(content, self._where)

    @contextmanager
    def _errors(self, *, resumed: bool) -> Iterator[None]:
        try:
            yield
        except RegistryError as error:
            if error.status in {401, 403}:
                raise denied(self._where, self._secret, f"HTTP {error.status}") from error
            if error.status == NOT_FOUND:
                message = f"{self._where}: {error}; push it again"
                raise RefusedError(FetchRefusal.NOT_FOUND, message) from error
            if error.status in WAITED_FOR and not resumed:
                raise RefusedError(FetchRefusal.UNREACHABLE, str(error)) from error
            raise BrokenError(str(error)) from error
