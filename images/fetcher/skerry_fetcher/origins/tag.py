"""A tag that takes credentials to look up: its digest is all that is wanted, kubelets pull the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.reasons import FetchRefusal
from skerry.artifacts.busy import BUSY
from skerry.artifacts.images import JOB, RegistryClient, RegistryError
from skerry.artifacts.registry import split
from skerry.jobs.plans import RegistryAccess
from skerry_fetcher.credentials import Credentials
from skerry_fetcher.errors import BrokenError, RefusedError, denied
from skerry_fetcher.listing import Listing

if TYPE_CHECKING:
    from skerry.jobs.plans import FetchPlan
    from skerry.jobs.scratch import Workspace
    from skerry_fetcher.listing import RemoteFile
    from skerry_fetcher.sink import Sink

KEY = ".dockerconfigjson"
WAITED_FOR = {0, *BUSY}
"""Without an answer, or with: later. The client has asked again already, as long as is of use."""


class PrivateTag:
    """The image of an oci uri."""

    def __init__(self, plan: FetchPlan, workspace: Workspace) -> None:
        """Read the credentials; nothing is sent yet."""
        credentials = Credentials.of(plan, workspace)
        credentials.check((KEY,))
        self._where, self._secret = plan.uri, credentials.secret
        host, repository, self._tag = split(plan.uri)
        access = RegistryAccess(
            address=host,
            repository=repository,
            insecure=plan.registry.insecure and host == plan.registry.address,
            docker_config=str(credentials.file(KEY)),
        )
        secret = f"Secret {self._secret} (credentialsSecretName)"
        self._client = RegistryClient(access, secret, JOB)

    def look(self) -> Listing:
        """Return a listing of no files, with the digest of the tag."""
        try:
            digest = self._client.digest_of_tag(self._tag)
        except RegistryError as error:
            if error.status in {401, 403}:
                message = f"HTTP {error.status}"
                raise denied(self._where, self._secret, message) from error
            if error.status in WAITED_FOR:
                raise RefusedError(FetchRefusal.UNREACHABLE, str(error)) from error
            raise BrokenError(str(error)) from error
        if digest is None:
            raise RefusedError(
                FetchRefusal.NOT_FOUND,
                f"{self._where}: the registry has no such image or tag; check the name, or push it",
            )
        return Listing(resolved=self._tag, digest=digest)

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        """Fail: the listing has no files, so nobody calls this."""
        raise BrokenError(f"{self._where}: {file.name} is not fetched into {sink.path}")
