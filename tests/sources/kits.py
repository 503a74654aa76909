"""A ModelKit with all sorts of layers, and how a source that is none is refused."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from skerry.api.reasons import FetchRefusal
from skerry_fetcher.errors import RefusedError
from tests.sources.artifacts import KIT, Described, Pusher, packed
from tests.sources.conftest import DATA, MODEL

if TYPE_CHECKING:
    from skerry.jobs.plans import FetchPlan
    from tests.sources.fetching import Job

NATIVE = "oci+native"
SMALL = MODEL[:5000]
WEIGHTS = MODEL[5000:900_000]
MODEL_FILES = {"model.onnx": SMALL, "model.onnx.data": WEIGHTS}


def kit_layers(pusher: Pusher, form: str) -> list[Described]:
    """Return the layers of a kit with a model in two parts, code and a data set, in this form."""
    model = {"m/": b"", "m/model.onnx": SMALL}
    weights = {"m/": b"", "m/model.onnx.data": WEIGHTS}
    parts = {
        "code": {"train.py": b"import this"}, "model": model, "modelpart": weights,
        "dataset": {"data/eval.npz": DATA}, "docs": {"README.md": b"# Read"},
    }  # fmt: skip
    found = []
    for part, files in parts.items():
        content = packed(files)
        content = gzip.compress(content) if form.endswith("gzip") else content
        found.append(pusher.blob(content, f"{KIT}.{part}.v1.{form}"))
    return found


def refused(job: Job, plan: FetchPlan, reason: FetchRefusal = FetchRefusal.WRONG_FORMAT) -> str:
    """See that the source is refused for this reason; return the message, with URI for the uri."""
    with pytest.raises(RefusedError) as caught:
        job.fetches(plan)
    assert caught.value.reason is reason
    message = str(caught.value).replace(plan.uri, "URI")
    assert len(message) <= 200
    return message
