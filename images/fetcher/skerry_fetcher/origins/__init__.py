"""Where files come from, one module a protocol, all with the same two questions.

`look` says what there is; `fetch` brings one of these files in, or the rest of it.
"""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Protocol

from skerry.api.artifact import IMAGE, MODEL_CAR, scheme_of

if TYPE_CHECKING:
    from skerry.jobs.plans import FetchPlan
    from skerry.jobs.scratch import Workspace
    from skerry_fetcher.listing import Listing, RemoteFile
    from skerry_fetcher.sink import Sink


class Origin(Protocol):
    """A place that files are fetched from."""

    def look(self) -> Listing:
        """Return the listing of the files that the source names.

        Raises:
            RefusedError: There are none, or they may not be read.
            BrokenError: The connection failed.
        """

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        """Complete the file in the sink.

        Raises:
            RefusedError: It is gone, changed, too large or may not be read.
            BrokenError: The connection failed; what came stays in the sink.
        """


ORIGINS = {
    "s3": "skerry_fetcher.origins.buckets:Bucket",
    "gs": "skerry_fetcher.origins.buckets:Bucket",
    "https": "skerry_fetcher.origins.web:WebFile",
    "http": "skerry_fetcher.origins.web:WebFile",
    "hf": "skerry_fetcher.origins.hub:Hub",
    "pvc": "skerry_fetcher.origins.claim:Claim",
    IMAGE: "skerry_fetcher.origins.oci:InRegistry",
    MODEL_CAR: "skerry_fetcher.origins.oci:InRegistry",
}
"""Imported when needed: each brings a client library of its own."""


def origin_of(plan: FetchPlan, workspace: Workspace) -> Origin:
    """Return the origin of a plan; it has read its credentials and sent nothing yet.

    Raises:
        RefusedError: The Secret can't be used.
    """
    origin: Origin = pkgutil.resolve_name(ORIGINS[scheme_of(plan.uri)])(plan, workspace)
    return origin
