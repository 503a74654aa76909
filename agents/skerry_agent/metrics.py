"""What Prometheus may ask of the agent: /metrics, and /healthz for the kubelet.

RSS and CPU come from prometheus_client's own process collector.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Gauge, make_wsgi_app

from skerry.api.edgenode import VerdictOutcome
from skerry.judging.guard import Side
from skerry_agent import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from skerry.judging.guard import Answer

STUCK_SECONDS = 15.0

ANSWERS = Counter(
    "skerry_agent_answers", "Answers that the guard counted", ["model", "revision", "outcome"]
)
SHARE = Gauge(
    "skerry_agent_candidate_traffic_ratio", "Share of requests that the candidate gets", ["model"]
)
WINDOW = Gauge("skerry_agent_window_samples", "Answers in the guard's window", ["model", "side"])
VERDICT = Gauge(
    "skerry_agent_verdict", "1 for the current outcome of the guard", ["model", "outcome"]
)
VETOES = Gauge("skerry_agent_vetoes", "Revisions and attempts vetoed on this node", ["model"])
RECONCILES = Counter("skerry_agent_reconcile", "Reconciles of the agent's loop")
CONNECTED = Gauge("skerry_agent_connected", "1 while the API server accepts the heartbeat")
UNREADABLE = Gauge(
    "skerry_agent_unreadable_routes", "ModelRoutes with a value that this agent does not know"
)
NOT_REPORTED = Gauge(
    "skerry_agent_models_not_reported", "Models that do not fit into EdgeNode.status"
)
DISK_FAILING = Gauge("skerry_agent_disk_failing", "1 while the agent can't write its state to disk")
GATEWAY_REFUSES = Gauge(
    "skerry_agent_gateway_refuses", "1 while a gateway rejects its configuration"
)
CLOCK_JUMPS = Counter("skerry_agent_clock_jumps", "How often the device's clock was set")
FAULTS = Counter("skerry_agent_faults", "Unexpected errors that the agent recovered from", ["part"])

_last_reconcile = monotonic()
_counted: dict[str, set[str]] = {}


def count(model: str, revision: str, answers: Sequence[Answer]) -> None:
    """Count answers of a revision."""
    _counted.setdefault(model, set()).add(revision)
    failed = sum(answer.failed for answer in answers)
    ANSWERS.labels(model, revision, "failed").inc(failed)
    ANSWERS.labels(model, revision, "good").inc(len(answers) - failed)


def observe(
    model: str,
    *,
    traffic: float,
    window: Mapping[Side, int],
    vetoes: int,
    outcome: VerdictOutcome | None,
) -> None:
    """Show one model after a reconcile: the candidate's `traffic` from 0 to 1, answers in the `window`."""
    SHARE.labels(model).set(traffic)
    for side, samples in window.items():
        WINDOW.labels(model, side.value).set(samples)
    VETOES.labels(model).set(vetoes)
    for each in VerdictOutcome:
        VERDICT.labels(model, each.value).set(each is outcome)


def forget(kept: Mapping[str, set[str]]) -> None:
    """Drop the labels of models and revisions that are gone; `kept` has the revisions by model."""
    for model, revisions in list(_counted.items()):
        for revision in revisions - kept.get(model, set()):
            _remove(ANSWERS, (model, revision, "failed"), (model, revision, "good"))
            revisions.discard(revision)
        if model not in kept:
            del _counted[model]


def forget_model(model: str) -> None:
    """Drop the labels of a model that left this node."""
    _remove(SHARE, (model,))
    _remove(VETOES, (model,))
    _remove(WINDOW, *((model, side.value) for side in Side))
    _remove(VERDICT, *((model, outcome.value) for outcome in VerdictOutcome))


def _remove(metric: Counter | Gauge, *labels: tuple[str, ...]) -> None:
    for values in labels:
        with suppress(KeyError):
            metric.remove(*values)


def note_reconcile() -> None:
    """Note that the loop reconciled: the agent is alive."""
    global _last_reconcile  # noqa: PLW0603 - one loop, one process
    _last_reconcile = monotonic()
    RECONCILES.inc()


def serve(port: int, silence_seconds: float = web.SILENCE_SECONDS) -> None:
    """Serve /metrics and /healthz from threads of their own."""
    exporter = make_wsgi_app()

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            return list(exporter(environ, start))
        stuck = monotonic() - _last_reconcile
        alive = stuck < STUCK_SECONDS
        start("200 OK" if alive else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"ok" if alive else f"no reconcile for {stuck:.0f} s".encode()]

    web.serve(port, app, silence_seconds=silence_seconds)
