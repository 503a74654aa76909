"""What the operator remembers of objects that it can't read, and says about them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from skerry.api import EdgeModel
from skerry.controllers import metrics
from skerry.controllers.cache import Store
from skerry.controllers.partly import edge_model_of
from skerry.controllers.unreadable import Reading, Unreadables
from skerry.decide.unreadable import status_of
from tests.cluster.manifests import MINIMAL, changed

if TYPE_CHECKING:
    import pytest

    from tests.cluster.manifests import Manifest

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
BAD_URI = "https://h/a\u00a0b.onnx"


def stored(uri: str, version: int, generation: int = 1) -> Manifest:
    metadata = {
        "name": "intent", "namespace": "t", "uid": "u",
        "resourceVersion": str(version), "generation": generation,
    }  # fmt: skip
    return changed(MINIMAL, {"metadata": metadata, "spec.source.uri": uri})


def counted(kind: str) -> float:
    samples = (sample for metric in metrics.UNREADABLE.collect() for sample in metric.samples)
    return next(float(sample.value) for sample in samples if sample.labels == {"kind": kind})


def seen(unreadables: Unreadables, store: Store[EdgeModel], item: Manifest) -> tuple[Any, Any]:
    return unreadables.keep("EdgeModel", "EdgeModel", item, edge_model_of, store)


def test_an_object_is_counted_and_logged_once_for_each_version(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    unreadables, store = Unreadables(), Store[EdgeModel]()
    good = stored("https://h/a.onnx", 1)
    assert seen(unreadables, store, good)[1] is not None
    assert counted("EdgeModel") == 0
    known, now = seen(unreadables, store, stored(BAD_URI, 2, 2))
    assert known is not None
    assert now is None
    assert store.values() == [], "an old spec must not pass for the present one"
    for version in (3, 4):  # its status was written
        seen(unreadables, store, stored(BAD_URI, version, 2))
    reading = Reading()
    reading.read("EdgeModel", stored(BAD_URI, 4, 2), edge_model_of)
    unreadables.note(("t", "intent"), reading.found)
    assert counted("EdgeModel") == 1
    assert len(caplog.messages) == 1
    assert "EdgeModel t/intent can't be read: spec.source.uri: " in caplog.messages[0]
    assert "kubectl edit edgemodel intent --namespace=t" in caplog.messages[0]
    seen(unreadables, store, stored(BAD_URI, 5, 3))
    assert len(caplog.messages) == 2
    unreadables.note(("t", "intent"), ())
    assert seen(unreadables, store, stored("https://h/a.onnx", 6, 4)) != (None, None)
    assert counted("EdgeModel") == 0
    assert unreadables.left_out("EdgeModel") == []


def test_an_object_that_is_gone_is_no_longer_counted() -> None:
    unreadables = Unreadables()
    seen(unreadables, Store(), stored(BAD_URI, 2))
    assert counted("EdgeModel") == 1
    unreadables.forget("EdgeModel", "EdgeModel", ("t", "intent"))
    assert counted("EdgeModel") == 0


def test_the_conditions_say_it_and_the_rest_of_the_status_stays() -> None:
    at = "2026-11-29T00:00:00Z"
    ready = {
        "type": "Ready",
        "status": "False",
        "lastTransitionTime": at,
        "reason": "WaveInProgress",
    }
    before: Manifest = {
        "observedGeneration": 1,
        "phase": "RollingOut",
        "targets": [{"hardwareClassName": "x86", "rollout": {"stable": "0123456789"}}],
        "conditions": [
            ready,
            {"type": "Accepted", "status": "True", "lastTransitionTime": at, "reason": "Accepted"},
            {"type": "Reconciling", "status": "True", "lastTransitionTime": at, "reason": "WaveInProgress"},
            {"type": "Available", "status": "True", "lastTransitionTime": at, "reason": "Answering"},
        ],
    }  # fmt: skip
    item = stored(BAD_URI, 2, 2) | {"status": before}
    after = status_of(item, "why", NOW)
    found = {one["type"]: one for one in after["conditions"]}
    assert found.keys() == {"Ready", "Accepted", "Stalled", "Available"}
    assert {found[name]["reason"] for name in ("Ready", "Accepted", "Stalled")} == {"NotReadable"}
    assert [found[name]["status"] for name in ("Ready", "Accepted", "Stalled")] == [
        "False", "False", "True",
    ]  # fmt: skip
    assert found["Ready"]["lastTransitionTime"] == at
    assert found["Accepted"]["lastTransitionTime"] == "2026-11-30T08:00:00Z"
    assert found["Available"] == before["conditions"][3]
    assert after["targets"] == before["targets"]
    assert (after["observedGeneration"], after["phase"]) == (2, "Failed")
    again = status_of(item | {"status": after}, "why", NOW + timedelta(hours=1))
    assert again == after, "the same is not written again"
