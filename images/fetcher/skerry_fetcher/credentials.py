"""The keys of the mounted Secret.

Keys by scheme: s3 AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; gs
service-account.json; https token, or username and password; hf token; oci .dockerconfigjson. And
ca.crt for each but oci.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import certifi

from skerry.api.reasons import FetchRefusal
from skerry_fetcher.errors import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.jobs.plans import FetchPlan
    from skerry.jobs.scratch import Workspace

AUTHORITY = "ca.crt"


@dataclass(frozen=True)
class Credentials:
    """A Secret as a folder of files.

    Attributes:
        secret: Its name; None when the spec names none.
        folder: Where it is mounted.
    """

    secret: str | None
    folder: Path

    @classmethod
    def of(cls, plan: FetchPlan, workspace: Workspace) -> Credentials:
        """Return the credentials in the Secret of a plan."""
        return cls(plan.secret, workspace.credentials)

    def get(self, key: str) -> str | None:
        """Return the value of a key, without the line end that editors add; None when it is not there."""
        file = self.folder / key
        if self.secret is None or not file.is_file():
            return None
        return file.read_text().strip()

    def file(self, key: str) -> Path:
        """Return the path of a key's file, which must exist.

        Raises:
            RefusedError: It is not.
        """
        if not (self.folder / key).is_file():
            raise self.unusable(f"has no key {key}", f"add {key}")
        return self.folder / key

    def check(self, *sets: tuple[str, ...]) -> None:
        """See that the Secret, if one is named, holds all keys of one of the sets, or ca.crt alone.

        Raises:
            RefusedError: It is not there, or holds something else.
        """
        if self.secret is None:
            return
        present = (
            {file.name for file in self.folder.iterdir() if file.is_file()}
            if self.folder.is_dir()
            else set()
        )
        if not present:
            raise self.unusable("is not there, or is empty", "create it in this namespace")
        started = [keys for keys in sets if present & set(keys)]
        if any(set(keys) <= present for keys in sets) or (not started and AUTHORITY in present):
            return
        wanted = " or ".join(" and ".join(keys) for keys in started or sets)
        found = ", ".join(sorted(present))
        raise self.unusable(f"has no {wanted} (its keys: {found})", f"add {wanted}")

    def unusable(self, what: str, todo: str) -> RefusedError:
        """Return the error for a Secret that can't be used."""
        message = f"the Secret {self.secret} that credentialsSecretName names {what}; {todo}"
        return RefusedError(FetchRefusal.SECRET, message)

    @property
    def authority(self) -> str | None:
        """A certificate authority to trust in addition to the public ones, in PEM."""
        return self.get(AUTHORITY)

    def trust(self) -> ssl.SSLContext:
        """Return a context that trusts the public authorities and the Secret's own.

        Raises:
            RefusedError: ca.crt holds no certificate.
        """
        context = ssl.create_default_context(cafile=certifi.where())
        if self.authority is not None:
            try:
                context.load_verify_locations(cadata=self.authority)
            except ssl.SSLError as error:
                raise self.unusable("has no certificate in ca.crt", "write it as PEM") from error
        return context
