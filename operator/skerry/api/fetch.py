"""What goes into a fetch job and what comes back: its plan, its report.

Not Kubernetes kinds: operator and fetcher image both use them. A private `oci` tag is looked up by
the same job, so that the operator never reads a Secret; nothing is copied then.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from skerry.api.common import Digest, Model
from skerry.api.job import RegistryAccess


class Role(StrEnum):
    """What the files are for; the value is the name of the mount, too."""

    SOURCE = "source"
    DATASET = "dataset"


class FetchPlan(Model):
    """Everything that a fetch job needs to know; passed as JSON in SKERRY_FETCH."""

    role: Role
    uri: str
    pin: Digest | None = None
    endpoint: str | None = None
    region: str | None = None
    secret: str | None = Field(default=None, description="Name of the Secret, for messages.")
    size_limit: int = Field(description="Bytes of all files together.")
    registry: RegistryAccess = Field(description="Where the image of the files goes.")


class FetchReport(Model):
    """Termination message of the last stage, when it went well."""

    digest: Digest = Field(description="Of the manifest to mount.")
    image: str | None = Field(
        default=None, description="HOST/REPOSITORY of the fetched image; unset for oci."
    )
    content: Digest | None = Field(
        default=None, description="What a pin would say; unset for oci, where `digest` says it."
    )
    resolved: str = Field(
        default="", description="What the server calls this version: revision, ETag, generation."
    )
    bytes: int = 0
    files: int = 0
    reused: bool = Field(default=False, description="The same version had been fetched before.")


class Refusal(StrEnum):
    """Why nothing was fetched; the word that the message of a failed stage begins with."""

    NOT_FOUND = "SourceNotFound"
    DENIED = "SourceAccessDenied"
    WRONG_DIGEST = "SourceDigestMismatch"
    TOO_LARGE = "SourceTooLarge"
    WRONG_FORMAT = "SourceFormatUnknown"
    HOST_UNKNOWN = "SourceHostUnknown"
    NOT_TRUSTED = "SourceCertificateNotTrusted"
    SECRET = "SourceSecretUnusable"  # noqa: S105 - not a password
    UNREACHABLE = "SourceUnreachable"
    CHANGED = "SourceChanged"
    REGISTRY = "RegistryUnavailable"
