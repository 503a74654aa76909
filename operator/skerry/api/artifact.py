"""Where a model or a data set comes from: its uri, its credentials and its digest.

An `oci` image is mounted as it is. A job fetches the content of any other scheme, and of an `oci` artifact
that is no image (ModelKit, ModelPack), into an image in Skerry's own registry
(docs/adr/0018-sources-become-images.md); from then on both are treated alike.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from skerry.api.common import Bool, Digest, MemoryQuantity, Model
from skerry.api.rules import Rule

_PART = "[a-z0-9]+([._-]+[a-z0-9]+)*"
_HOST = "[a-zA-Z0-9.-]+(:[0-9]+)?"
_REPOSITORY = "[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
# Nothing invisible in Latin-1: a class such as \s is ASCII to the API server and Unicode to pydantic.
_SCHEMES = r"^(oci|s3|gs|https|http|hf|pvc|oci[+]native)://[^\x00-\x20\x7f-\xa0]+$"


def _form(schemes: str, pattern: str, message: str) -> Rule:
    """Return the rule that what follows these schemes matches; it passes all other schemes."""
    return Rule(
        f"!self.matches('^({schemes})://') || self.matches('^({schemes})://{pattern}$')",
        f"write {message}",
        lambda uri: (
            not re.search(f"^({schemes})://", uri) or re.search(f"^({schemes})://{pattern}$", uri)
        ),
    )


OCI_FORM = _form(
    "oci|oci[+]native",
    f"{_HOST}/{_PART}(/{_PART})*(:[a-zA-Z0-9_][a-zA-Z0-9._-]{{0,127}})?",
    "oci://HOST[:PORT]/REPOSITORY[:TAG] (or oci+native://...), in lower case; a digest is pinned in the field"
    " digest",
)
BUCKET_FORM = _form(
    "s3|gs",
    "[a-z0-9][a-z0-9._-]*[a-z0-9]/[^/].*",
    "s3://BUCKET/KEY or gs://BUCKET/KEY; a KEY that ends with / is a folder",
)
WEB_FORM = _form(
    "https?",
    f"{_HOST}/[^#]*[^#/]",
    "https://HOST[:PORT]/PATH of one file; put user and password into credentialsSecretName",
)
HUB_FORM = _form(
    "hf",
    f"(datasets/)?{_REPOSITORY}(@[A-Za-z0-9._%-]+)?(/.+)?",
    "hf://[datasets/]OWNER/NAME[@REVISION][/PATH]",
)
CLAIM_FORM = _form(
    "pvc",
    "[a-z0-9]([-a-z0-9.]*[a-z0-9])?/.+",
    "pvc://CLAIM/PATH of a file or folder in the PersistentVolumeClaim CLAIM",
)
NO_WAY_UP = Rule(
    "!self.matches('/[.][.]?(/|$)')",
    "must not have . or .. as a part of its path: write the path without them",
    lambda uri: not re.search("/[.][.]?(/|$)", uri),
)

Uri = Annotated[
    str, Field(pattern=_SCHEMES, max_length=512),
    OCI_FORM, BUCKET_FORM, WEB_FORM, HUB_FORM, CLAIM_FORM, NO_WAY_UP,
]  # fmt: skip
ObjectName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)
]
Endpoint = Annotated[
    str, Field(pattern=r"^https?://[a-zA-Z0-9.-]+(:[0-9]+)?(/[!-~]*)?$", max_length=256)
]
Region = Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=64)]


IMAGE, MODEL_CAR = "oci", "oci+native"
"""The schemes of registries: an image or artifact whose root holds the files, or KServe's, below /models."""
IN_REGISTRIES = frozenset({IMAGE, MODEL_CAR})


def scheme_of(uri: str) -> str:
    """Return the part before ://."""
    return uri.partition("://")[0]


class Role(StrEnum):
    """What an EdgeModel uses an artifact for."""

    SOURCE = "Source"
    DATASET = "Dataset"


class Artifact(Model):
    """Where a model or a data set is stored, and how to read it."""

    invariants: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.uri.matches('^oci([+]native)?://') || has(self.digest) || self.uri.matches(':[^/]+$')",
            "names neither a tag nor a digest: write oci://HOST/REPOSITORY:TAG, or set digest",
            lambda artifact: (
                scheme_of(artifact.uri) not in IN_REGISTRIES
                or artifact.digest is not None
                or re.search(":[^/]+$", artifact.uri)
            ),
            "uri",
        ),
        Rule(
            "self.plainHTTP || !self.uri.startsWith('http://')",
            "is read without TLS, so anybody on the network path can change it: write https://, or"
            " allow it with plainHTTP: true (and pin the digest)",
            lambda artifact: artifact.plain_http or scheme_of(artifact.uri) != "http",
            "uri",
        ),
        Rule(
            "self.plainHTTP || !has(self.endpoint) || !self.endpoint.startsWith('http://')",
            "is reached without TLS: write https://, or allow it with plainHTTP: true",
            lambda artifact: artifact.plain_http or scheme_of(artifact.endpoint or "") != "http",
            "endpoint",
        ),
        Rule(
            "!has(self.endpoint) || self.uri.matches('^(s3|gs|hf)://')",
            "is for s3, gs and hf only: the other schemes name their host in the uri",
            lambda artifact: (
                artifact.endpoint is None or scheme_of(artifact.uri) in {"s3", "gs", "hf"}
            ),
            "endpoint",
        ),
        Rule(
            "!has(self.region) || self.uri.startsWith('s3://')",
            "is for s3 only",
            lambda artifact: artifact.region is None or scheme_of(artifact.uri) == "s3",
            "region",
        ),
        Rule(
            "!has(self.credentialsSecretName) || !self.uri.startsWith('pvc://')",
            "is not for pvc: a job that can mount the claim can read it",
            lambda artifact: (
                artifact.credentials_secret_name is None or scheme_of(artifact.uri) != "pvc"
            ),
            "credentialsSecretName",
        ),
    )

    uri: Uri = Field(
        description="oci://HOST[:PORT]/REPOSITORY[:TAG] (an image, ModelKit or ModelPack artifact),"
        " oci+native://HOST[:PORT]/REPOSITORY[:TAG] (an image with the files below /models, as KServe has"
        " it), s3://BUCKET/KEY, gs://BUCKET/KEY, https://HOST[:PORT]/PATH,"
        " hf://[datasets/]OWNER/NAME[@REVISION][/PATH] or pvc://CLAIM/PATH."
        " The operator resolves it when it changes and on a retry, never in between: new content"
        " behind the same uri does not start a rollout. All but oci images are fetched once into the"
        " registry by a job."
    )
    digest: Digest | None = Field(
        default=None,
        description="Required digest, sha256:... For oci and oci+native: of the manifest; the tag is then"
        " ignored. For a file: of its content. For a folder: of the lines that `sha256sum` writes for its"
        " files, sorted by name.",
    )
    credentials_secret_name: ObjectName | None = Field(
        default=None,
        description="Name of a Secret in this namespace. Its keys by scheme: oci and oci+native:"
        " .dockerconfigjson; s3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN;"
        " gs: service-account.json;"
        " https: token, or username and password; hf: token. All others also read ca.crt, a"
        " certificate authority to trust.",
    )
    endpoint: Endpoint | None = Field(
        default=None,
        description="URL of a server with the API of S3, Google Cloud Storage or the Hugging Face Hub,"
        " such as https://minio.example. Unset: the public service.",
    )
    region: Region | None = Field(
        default=None, description="Region of an s3 bucket. Unset: us-east-1."
    )
    plain_http: Bool = Field(
        default=False, description="Allow http:// (no TLS) in uri and endpoint."
    )
    size_limit: MemoryQuantity | None = Field(
        default=None,
        description="Maximum total size of the files, such as 500Mi. Unset: the installation's limit"
        " (sources.sizeLimit), which can't be exceeded. Not for oci images.",
    )
