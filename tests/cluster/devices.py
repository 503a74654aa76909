"""Devices that are not there: what kubelets, agents and job containers would write, through the API.

The API server, its controllers and its scheduler are real, and so is the operator under test. Nodes,
pods and what agents report are real objects; only their status is written here, as the components
that are missing would write it. Tests say which revisions are bad and what builds come to. Fetch
jobs alone run for real.
"""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from skerry.api import ModelRoute
from skerry.api.common import (
    LABEL_CLASS,
    LABEL_COMPONENT,
    LABEL_MODEL,
    LABEL_REVISION,
    SYSTEM_NAMESPACE,
)
from skerry.api.edgemodel import Assessment
from skerry.api.edgenode import CandidateState, VerdictOutcome
from skerry.api.modelvariant import (
    EvaluationPlan,
    GateOutcome,
    GateResult,
    Interval,
    RecipeResult,
    VariantArtifact,
)
from skerry.cluster import kinds
from skerry.controllers.reach import LEASE_PREFIX
from skerry.jobs.plans import AssessPlan, JobPlan
from skerry.jobs.results import JobSummary
from skerry.precision import Precision
from skerry.render.parts import COMPONENT_FETCHER
from tests.cluster.fetch_pods import run_fetch_pod
from tests.cluster.pod_states import Stuck, base, ended, environment, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cluster.api import Api, Object

BEAT_SECONDS = 0.15
ENOUGH = ("0.981234567890123", "0.97", "0.99")
SHORT = ("0.9", "0.89", "0.91")
"""Qualities that are measured: value, least, most."""
NODE_LEASE_SECONDS = 5.0
CAPACITY = {"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "50Gi"}


@dataclass
class Devices:
    """The nodes and what runs on them; a thread plays all of them until `stop`.

    Attributes:
        bad: revisions that every agent fails, by rule.
        building: jobs that build do not end yet.
        found: what each node's agent reports in addition, by node: {"facts": ...}.
        shortfall: engines whose builds come to nothing: no candidate passes the gates.
        soaking: no agent is done with its candidate yet.
        speedups: what each engine's build measures; 1.5 by default.
        stuck: pods that do not begin, by model and component: what their kubelets say.
        reports: how often an agent has written its EdgeNode.
    """

    api: Api
    classes: Mapping[str, tuple[str, ...]]
    bad: dict[str, str] = field(default_factory=dict)
    building: bool = False
    shortfall: frozenset[str] = frozenset()
    soaking: bool = False
    stuck: dict[tuple[str, str], Stuck] = field(default_factory=dict)
    speedups: dict[str, str] = field(default_factory=dict)
    failed_at: dict[str, datetime] = field(default_factory=dict)
    _vetoes: dict[tuple[str, str, str], list[Object]] = field(default_factory=dict)
    found: dict[str, Object] = field(default_factory=dict)
    _reported: dict[str, Any] = field(default_factory=dict)
    _leased_at: float = 0.0
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2))
    _fetches: dict[str, Future[Object]] = field(default_factory=dict)
    error: BaseException | None = None

    def start(self) -> None:
        """Bring the nodes up."""
        for name in self._names():
            self._join(name)
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take the nodes away; an error of the play is the test's error."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown()
        for name in self._names():
            self.api.delete(kinds.NODE, {"metadata": {"name": name}})
            self.api.delete(kinds.LEASE, {"metadata": _agents_lease(name)})
        if self.error is not None:
            raise self.error

    def _names(self) -> list[str]:
        return [name for names in self.classes.values() for name in names]

    def _class_of(self, node: str) -> str:
        return next(name for name, nodes in self.classes.items() if node in nodes)

    def _join(self, name: str) -> None:
        labels = {"test.skerry.dev/class": self._class_of(name), "kubernetes.io/hostname": name}
        node = self.api.create(kinds.NODE, {"metadata": {"name": name, "labels": labels}})
        ready = {
            "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
            "lastHeartbeatTime": timestamp(), "lastTransitionTime": timestamp(),
        }  # fmt: skip
        status = {"capacity": CAPACITY, "allocatable": CAPACITY, "conditions": [ready]}
        self.api.merge(kinds.NODE, node, {"status": status}, "status")
        self._renew(name)

    def _play(self) -> None:
        try:
            while not self._ending.is_set():
                self._beat()
                self._ending.wait(BEAT_SECONDS)
        except BaseException as error:  # noqa: BLE001 - handed to the test by `stop`
            self.error = error

    def _beat(self) -> None:
        now = datetime.now(UTC).timestamp()
        if now - self._leased_at > NODE_LEASE_SECONDS:
            self._leased_at = now
            for name in self._names():
                self._renew(name)
        pods = self.api.list(kinds.POD, selector="app.kubernetes.io/managed-by=skerry")
        for pod in pods:
            self._kubelet(pod)
        for name in self._names():
            self._agent(name, pods)

    def _renew(self, name: str) -> None:
        renewed = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": renewed}
        lease = {"metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": spec}
        self.api.apply(kinds.LEASE, lease, "kubelet")
        beat = {"metadata": _agents_lease(name), "spec": spec}
        self.api.apply(kinds.LEASE, beat, "skerry-agent")

    def _kubelet(self, pod: Object) -> None:
        """Write one pod's next state."""
        if pod["spec"].get("nodeName") not in self._names():
            return
        if pod["metadata"].get("deletionTimestamp"):
            self.api.delete(kinds.POD, pod, grace_seconds=0)
            return
        component = pod["metadata"]["labels"][LABEL_COMPONENT]
        phase = pod.get("status", {}).get("phase")
        stuck = self.stuck.get((pod["metadata"]["labels"][LABEL_MODEL], component))
        if stuck is not None and phase == "Pending":
            stuck.write(self.api, pod)
        elif component == "runtime" and phase == "Pending":
            self.api.merge(kinds.POD, pod, {"status": _running(pod)}, "status")
        elif component != "runtime" and phase == "Pending":
            self.api.merge(kinds.POD, pod, {"status": _building(pod)}, "status")
        elif component == COMPONENT_FETCHER and phase == "Running":
            self._fetch(pod)
        elif component != "runtime" and phase == "Running" and not self._is_held(pod):
            self.api.merge(kinds.POD, pod, {"status": self._built(pod)}, "status")

    def _is_held(self, pod: Object) -> bool:
        return self.building and pod["spec"]["containers"][0]["name"] != "assess"

    def _fetch(self, pod: Object) -> None:
        """Run a fetch job's pod; its processes run concurrently, since nodes must keep renewing their Leases."""
        uid = pod["metadata"]["uid"]
        if uid not in self._fetches:
            self._fetches[uid] = self._pool.submit(run_fetch_pod, self.api, pod)
        if self._fetches[uid].done():
            self.api.merge(kinds.POD, pod, {"status": self._fetches[uid].result()}, "status")

    def _built(self, pod: Object) -> Object:
        """Return a job's pod at its end, with the messages that its containers would leave."""
        main = pod["spec"]["containers"][0]
        if main["name"] == "assess":
            assess = AssessPlan.model_validate_json(environment(main)["SKERRY_ASSESS_PLAN"])
            message = assessment_of(assess.source_digest, assess.evaluation)
        else:
            plan = JobPlan.model_validate_json(environment(main)["SKERRY_PLAN"])
            message = json.dumps(self.summary(plan).to_wire())
        inits = [ended(c, f"{c['name']} done") for c in pod["spec"].get("initContainers", ())]
        return {
            "phase": "Succeeded",
            "initContainerStatuses": inits,
            "containerStatuses": [ended(main, message)],
        }

    def summary(self, plan: JobPlan) -> JobSummary:
        """Return the result of a job with this plan."""
        short = plan.engine in self.shortfall
        result = _recipe_result(self.speedups.get(plan.engine, "1.5"), SHORT if short else ENOUGH)
        digest = "sha256:" + hashlib.sha256(plan.evidence_key.encode()).hexdigest()
        gate = GateResult(
            name="quality", required=True, threshold="0.95", observed=result.quality,
            outcome=GateOutcome.FAIL if short else GateOutcome.PASS,
            message="quality 0.900 is below the required 0.950" if short else "quality holds",
        )  # fmt: skip
        image = f"{plan.registry.address}/{plan.registry.repository}@{digest}"
        return JobSummary(
            recipe_results=(result,),
            chosen=None if short else result.recipe,
            certified=None if short else result,
            gates=(gate,),
            artifact=None if short else VariantArtifact(image=image, digest=digest),
            model_digest=None if short else digest,
            baseline="ONNX Runtime 1.32.0 Float32",
            engine_version=plan.engine_version,
            message=gate.message,
        )

    def _agent(self, node: str, pods: list[Object]) -> None:
        """Report as the node's agent, when something has changed."""
        if self.api.find(kinds.EDGE_NODE, None, node) is None:
            return
        ready = {
            (pod["metadata"]["namespace"], pod["metadata"]["labels"][LABEL_MODEL], revision)
            for pod in pods
            if pod["spec"].get("nodeName") == node and not pod["metadata"].get("deletionTimestamp")
            for revision in [pod["metadata"]["labels"].get(LABEL_REVISION)]
            if revision and pod.get("status", {}).get("phase") == "Running"
        }
        selector = f"{LABEL_CLASS}={self._class_of(node)}"
        routes = self.api.list(kinds.MODEL_ROUTE, selector=selector)
        models = [self._report(node, ModelRoute.model_validate(route), ready) for route in routes]
        status: Object = {"agentVersion": "test", "models": models} | self.found.get(node, {})
        if status != self._reported.get(node):
            body = {"metadata": {"name": node}, "status": status}
            if self.api.apply(kinds.EDGE_NODE, body, "skerry-agent", "status") is not None:
                self._reported[node] = status

    def _report(self, node: str, route: ModelRoute, ready: set[tuple[str, str, str]]) -> Object:
        namespace, spec = route.metadata.namespace or "", route.spec
        here = {rev for ns, model, rev in ready if (ns, model) == (namespace, spec.edge_model_name)}
        stable = spec.stable.revision if spec.stable else None
        vetoes = self._vetoes.setdefault((node, namespace, spec.edge_model_name), [])
        candidate = self._judge(route, here, vetoes)
        passed = candidate is not None and candidate["state"] == CandidateState.PASSED
        serving = stable if stable in here else None
        if passed and candidate and serving is None:
            serving = candidate["revision"]
        said = {
            "namespace": namespace, "name": spec.edge_model_name,
            "observedRouteGeneration": spec.roles_generation, "healthy": stable in here,
            "stable": stable, "serving": serving, "candidate": candidate, "vetoes": list(vetoes),
        }  # fmt: skip
        return {name: value for name, value in said.items() if value is not None}

    def _judge(self, route: ModelRoute, here: set[str], vetoes: list[Object]) -> Object | None:
        """Return the candidate's state on the node; a failure is kept as a veto."""
        tried = route.spec.candidate
        if tried is None:
            return None
        report: Object = {"revision": tried.revision, "attempt": tried.attempt}
        rule = self.bad.get(tried.revision)
        vetoed = any(
            (v["revision"], v["attempt"]) == (tried.revision, tried.attempt) for v in vetoes
        )
        if not vetoed and tried.revision not in here:
            return report | {"state": CandidateState.WAITING, "traffic": 0}
        if not vetoed and rule is None and self.soaking:
            return report | {"state": CandidateState.SOAKING, "traffic": 90}
        if not vetoed and rule is None:
            return report | {"state": CandidateState.PASSED, "traffic": 90}
        if not vetoed:
            self.failed_at.setdefault(tried.revision, datetime.now(UTC))
            vetoes.append(report | {"rule": rule, "failureTime": timestamp()})
        at = vetoes[-1]["failureTime"]
        verdict = {"outcome": VerdictOutcome.FAIL, "rule": vetoes[-1]["rule"], "decisionTime": at}
        verdict |= {
            "observed": "12 % of 50",
            "bound": "1 %",
            "samples": 50,
            "firstBadAnswerTime": at,
        }
        return report | {"state": CandidateState.FAILED, "traffic": 0, "verdict": verdict}


def _agents_lease(node: str) -> Object:
    return {"name": f"{LEASE_PREFIX}{node}", "namespace": SYSTEM_NAMESPACE}


def _running(pod: Object) -> Object:
    statuses = [
        {
            **base(c),
            "ready": True,
            "started": True,
            "state": {"running": {"startedAt": timestamp()}},
        }
        for c in pod["spec"]["containers"]
    ]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": timestamp()}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    return {"phase": "Running", "conditions": conditions, "containerStatuses": statuses}


def _building(pod: Object) -> Object:
    """Return a job's pod whose first container runs."""
    containers: list[Object] = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
    first, *others = containers
    running = {**base(first), "ready": False, "state": {"running": {"startedAt": timestamp()}}}
    waiting = [
        {**base(c), "ready": False, "state": {"waiting": {"reason": "PodInitializing"}}}
        for c in others
    ]
    everything = [running, *waiting]
    count = len(pod["spec"].get("initContainers", ()))
    return {
        "phase": "Running",
        "initContainerStatuses": everything[:count],
        "containerStatuses": everything[count:],
    }


def assessment_of(digest: str, evaluation: EvaluationPlan) -> str:
    """Return the result of a job for any source and data set."""
    return json.dumps(
        Assessment(
            source_digest=digest, format="ONNX", bytes=1024, parameters=256,
            operators={"MatMul": 4}, quantizable="0.9", family="Transformer",
            dataset=evaluation.assessed(1000),
        ).to_wire()
    )  # fmt: skip


def _recipe_result(speedup: str, quality: tuple[str, str, str]) -> RecipeResult:
    def interval(value: str, low: str, high: str) -> Interval:
        return Interval(value=value, low=low, high=high)

    return RecipeResult(
        recipe="weight-int8-block128",
        precision=Precision.INT8,
        bytes=1024,
        quality=interval(*quality),
        speedup=interval(speedup, f"{float(speedup) - 0.1}", f"{float(speedup) + 0.1}"),
        memory_reduction=interval("0.4", "0.35", "0.45"),
        p50_milliseconds="10.5",
        memory_bytes=1000,
        batching=True,
        message="",
    )
