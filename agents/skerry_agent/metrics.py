"""What Prometheus may ask of the agent: /metrics, and /healthz for the kubelet.

RSS and CPU come from prometheus_client's own process collector.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Gauge, make_wsgi_app

from skerry.api.edgenode import VerdictOutcome
from skerry.api.rollout import ALL_PERCENT
from skerry.judging.guard import Side
from skerry_agent import plan, web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from skerry.judging.guard import Answer
    from skerry_agent.runner import Runner

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
PASSES = Counter("skerry_agent_passes", "Reconciles of the agent's loop")
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

_last_pass = monotonic()
_counted: dict[str, set[str]] = {}


def count(model: str, revision: str, answers: Sequence[Answer]) -> None:
    """Counts answers of a revision."""
    _counted.setdefault(model, set()).add(revision)
    failed = sum(answer.failed for answer in answers)
    ANSWERS.labels(model, revision, "failed").inc(failed)
    ANSWERS.labels(model, revision, "good").inc(len(answers) - failed)


def observe(runner: Runner) -> None:
    """The state of one model after a pass."""
    key, recent = runner.key, runner.evidence.live.recent
    share = plan.share_of_candidate(runner.route.spec, runner.memory.trial)
    SHARE.labels(key).set(share / ALL_PERCENT)
    WINDOW.labels(key, Side.CANDIDATE.value).set(len(recent.candidate.points))
    WINDOW.labels(key, Side.STABLE.value).set(len(recent.stable.points))
    VETOES.labels(key).set(len(runner.memory.vetoes))
    now = runner.finding.outcome if runner.finding else None
    for outcome in VerdictOutcome:
        VERDICT.labels(key, outcome.value).set(outcome is now)


def forget(kept: Mapping[str, set[str]]) -> None:
    """Drops the labels of models and revisions that are gone; `kept` has the revisions by model."""
    for model, revisions in list(_counted.items()):
        for revision in revisions - kept.get(model, set()):
            _remove(ANSWERS, (model, revision, "failed"), (model, revision, "good"))
            revisions.discard(revision)
        if model not in kept:
            del _counted[model]


def forget_model(model: str) -> None:
    """Drops the labels of a model that left this node."""
    _remove(SHARE, (model,))
    _remove(VETOES, (model,))
    _remove(WINDOW, *((model, side.value) for side in Side))
    _remove(VERDICT, *((model, outcome.value) for outcome in VerdictOutcome))


def _remove(metric: Counter | Gauge, *labels: tuple[str, ...]) -> None:
    for values in labels:
        with suppress(KeyError):
            metric.remove(*values)


def passed() -> None:
    """The loop made a pass: the agent is alive."""
    global _last_pass  # noqa: PLW0603 - one loop, one process
    _last_pass = monotonic()
    PASSES.inc()


def serve(port: int, silence_seconds: float = web.SILENCE_SECONDS) -> None:
    """Serves /metrics and /healthz from threads of their own."""
    exporter = make_wsgi_app()

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            return list(exporter(environ, start))
        stuck = monotonic() - _last_pass
        alive = stuck < STUCK_SECONDS
        start("200 OK" if alive else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"ok" if alive else f"no pass of the loop for {stuck:.0f} s".encode()]

    web.serve(port, app, silence_seconds=silence_seconds)
