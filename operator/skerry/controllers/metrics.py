"""What Prometheus sees of the operator, on port 9090."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from skerry.api.edgemodel import Outcome
from skerry.api.guard import GuardMetric

PORT = 9090

RECONCILES = Counter("skerry_reconcile_total", "Reconciles of one EdgeModel.", ["result"])
RECONCILE_SECONDS = Histogram(
    "skerry_reconcile_seconds", "Seconds from dequeuing an EdgeModel to its last write.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)  # fmt: skip
FLEET_RECONCILES = Counter("skerry_fleet_reconcile_total", "Reconciles of all nodes.", ["result"])
WRITES = Counter("skerry_writes_total", "Objects written or deleted, by kind of write.", ["kind"])
REFUSED = Counter(
    "skerry_refused_writes_total",
    "Writes that the API server refused, by kind of object.",
    ["kind"],
)
ENDED = Counter(
    "skerry_revisions_ended_total", "Revisions promoted, rolled back or superseded.", ["outcome"]
)
REJECTED = Counter(
    "skerry_revisions_rejected_total", "Revisions rolled back, by the rule that failed.", ["rule"]
)
BUILDS = Gauge("skerry_optimization_jobs", "Unfinished optimization jobs in the cluster.")
FETCHES = Gauge("skerry_fetch_jobs", "Unfinished fetch jobs in the cluster.")
UNREADABLE = Gauge(
    "skerry_unreadable_objects",
    "Objects that the operator can't read, or only partly. Its log and their conditions say why.",
    ["kind"],
)
READ_KINDS = (
    "EdgeModel", "HardwareClass", "EdgeNode", "ModelRoute", "ModelVariant", "DaemonSet", "Job", "Pod",
    "Node", "Service",
)  # fmt: skip
# From 0 on: a series that begins at 1 has no increase, and its first event would alert nobody.
for _result in ("done", "failed"):
    RECONCILES.labels(_result)
    FLEET_RECONCILES.labels(_result)
RECONCILES.labels("overtaken")
for _outcome in Outcome:
    ENDED.labels(_outcome.value)
for _rule in GuardMetric:
    REJECTED.labels(_rule.value)
for _kind in READ_KINDS:
    UNREADABLE.labels(_kind)
LEADING = Gauge("skerry_leading", "1 while this process is the leader.")
