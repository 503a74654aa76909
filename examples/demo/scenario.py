"""The story of the demonstration, step by step, on a cluster that is up.

A good revision, a second good one under traffic, and a third that is bad in the field only: it is slow on
texts that are longer than those of its data set, which most callers send.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from examples.demo import report
from examples.demo.agent_log import node_events
from examples.demo.watch import Watcher, console, is_serving
from skerry.api import HardwareClass
from skerry.cli.reading import rejection_of
from tests.lab.client import install
from tests.lab.client.environment import ROOT, run
from tests.lab.client.timeline import is_within, lost, rollback_timeline, switches
from tests.lab.client.traffic import Load, Traffic, infer_request
from tests.lab.nodes import CLASS_LABEL
from tests.lab.toolchain import cache_root

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping

    from examples.demo.watch import View
    from tests.lab.client.environment import Environment
    from tests.lab.client.timeline import Timeline

NAMESPACE = "demo"
MODEL = "minilm"
EXAMPLE = ROOT / "examples" / "minilm"
REGISTRY_IN_MANIFESTS = "registry.example:5000"
CLASSES = ("x86-a", "x86-b")

# Four nodes on two cores: what the machine carries in addition to the cluster itself and to builds, which
# measure again what other work disturbed.
REQUESTS_PER_SECOND = 16.0
WHILE_BUILDING = 4.0
# Most callers send texts that are longer than every sample of the data set.
USUAL_TEXTS, LONG_TEXTS = 1, 3
LONG_TEXT_TOKENS = 96

FIRST_ROLLOUT_SECONDS = 1500.0
NEXT_ROLLOUT_SECONDS = 1800.0
ROLLBACK_SECONDS = 2400.0


@dataclass
class Story:
    """The steps share the cluster, the watcher and the traffic.

    `image` runs the load, `requests` are what it sends in turn.
    """

    environment: Environment
    watcher: Watcher
    traffic: Traffic
    image: str
    requests: tuple[dict[str, Any], ...]

    def load(self, name: str, rate: float, nodes: Mapping[str, str]) -> Load:
        """Return a load for the model of the story."""
        return Load(NAMESPACE, MODEL, self.image, self.requests, rate, nodes, name)


def say(text: str) -> None:
    """Print a heading of the story."""
    console.print(f"\n[bold cyan]{text}[/]")


def make_sources() -> Path:
    """Make the models and the data set of the example; kept between runs outside the checkout."""
    made = cache_root() / "examples" / "minilm"
    run(sys.executable, str(EXAMPLE / "make.py"), str(made))
    return made


def push_sources(environment: Environment, made: Path) -> None:
    """Push both sources and the data set to the registry, as the manifests name them."""
    for folder, reference in (
        ("v1", "models/minilm:1"),
        ("v2", "models/minilm:2"),
        ("v3", "models/minilm:3"),
        ("dataset", "datasets/minilm:1"),
    ):
        console.print(f"  {install.push_folder(environment, made / folder, reference)}")


def clear(environment: Environment) -> None:
    """Delete what an earlier demonstration left: the story begins without a model that serves."""
    # The load first: it would count what it asks in vain for as lost.
    for what in (("daemonset", "load"), ("edgemodel", MODEL)):
        words = ("--ignore-not-found", "--cascade=foreground")
        environment.kubectl("-n", NAMESPACE, "delete", *what, *words)


def apply_example(environment: Environment) -> int:
    """Apply the example's manifests with this registry's address; returns the model's generation."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    environment.apply(namespace)
    for name in ("hardwareclasses.yaml", "edgemodel.yaml"):
        text = (EXAMPLE / name).read_text().replace(REGISTRY_IN_MANIFESTS, environment.registry)
        environment.kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=text)
    return generation(environment)


def generation(environment: Environment) -> int:
    """Return the EdgeModel's metadata.generation."""
    return int(environment.get("-n", NAMESPACE, "edgemodel", MODEL)["metadata"]["generation"])


def patch(environment: Environment, change: dict[str, object]) -> int:
    """Change the spec as a user would; returns the new generation."""
    text = json.dumps({"spec": change})
    console.print(
        f"[dim]$ kubectl -n {NAMESPACE} patch em {MODEL} --type merge -p '{escape(text)}'[/]"
    )
    environment.kubectl("-n", NAMESPACE, "patch", "edgemodel", MODEL, "--type", "merge", "-p", text)
    return generation(environment)


def first_revision(story: Story) -> None:
    """Optimize, measure, gate and roll out the first source."""
    say(
        "1. A model is applied: optimized, measured and gated on each class, then rolled out in waves"
    )
    clear(story.environment)
    wanted = apply_example(story.environment)
    view = story.watcher.until(
        "the first revision on every node", lambda v: is_serving(v, wanted), FIRST_ROLLOUT_SECONDS
    )
    show_candidates(view)
    show_engines(story.environment, view)


def show_engines(environment: Environment, view: View) -> None:
    """Print what each engine came to, and why the classes chose what they did."""
    targets = view.model.status.targets
    console.print(report.engines(targets))
    for target in targets:
        console.print(f"[bold]{target.hardware_class_name}[/]: {escape(target.build.choice)}")
    console.print(escape(report.agreement(targets, processors(environment))))


def processors(environment: Environment) -> dict[str, set[str]]:
    """Return the processors that the agents found, by class."""
    found = [HardwareClass.model_validate(i) for i in environment.get("hardwareclasses")["items"]]
    facts = {one.metadata.name: one.status.facts for one in found}
    return {name: {cpu.value for cpu in its.cpus} for name, its in facts.items() if its}


def show_candidates(view: View) -> None:
    """Print trials and gates of the builds that serve, once where classes share a build."""
    serving = {target.build.variant_name for target in view.model.status.targets}
    shown: dict[str, str] = {}
    for variant in view.variants:
        artifact = variant.status.artifact
        if variant.metadata.name not in serving or artifact is None:
            continue
        hardware_class = variant.spec.hardware_class_name
        if artifact.digest in shown:
            console.print(
                f"{hardware_class} has the same hardware as {shown[artifact.digest]}: the same build and"
                " the same figures"
            )
            continue
        shown[artifact.digest] = hardware_class
        console.print(report.candidates(variant))
        console.print(report.gates(variant))


def requests_of_the_field(dataset: Path) -> tuple[dict[str, Any], ...]:
    """Return what callers send in turn: a sample of the data set, and texts that are longer than all of it."""
    usual = infer_request(dataset)
    tokens = usual["inputs"][0]["shape"][1]
    longer = -(-LONG_TEXT_TOKENS // tokens)
    inputs = [
        {
            **tensor,
            "shape": [1, LONG_TEXT_TOKENS],
            "data": (tensor["data"] * longer)[:LONG_TEXT_TOKENS],
        }
        for tensor in usual["inputs"]
    ]
    return (*[usual] * USUAL_TEXTS, *[{"inputs": inputs}] * LONG_TEXTS)


def start_traffic(story: Story) -> None:
    """Start steady traffic from a pod on each node."""
    say(
        f"2. Steady traffic from a pod on each node: {WHILE_BUILDING:g} requests a second,"
        f" {REQUESTS_PER_SECOND:g} while a revision is rolled out"
    )
    story.traffic.start(story.load("load", WHILE_BUILDING, {}))


def roll_out(story: Story, what: str, reached: Callable[[View], bool], seconds: float) -> View:
    """Wait until `reached` holds, with all the traffic on each class that has a candidate, or had one.

    Raises:
        NotReachedError: after `seconds`.
    """
    added: dict[str, Load] = {}

    def looked(view: View) -> bool:
        for target in view.model.status.targets:
            name = target.hardware_class_name
            if target.rollout.candidate and name not in added:
                nodes = {CLASS_LABEL: name}
                more = REQUESTS_PER_SECOND - WHILE_BUILDING
                added[name] = story.load(f"load-{name}", more, nodes)
                story.traffic.start(added[name])
        return reached(view)

    view = story.watcher.until(what, looked, seconds)
    story.traffic.catch_up()
    for load in added.values():
        story.traffic.end(load)
    return view


def second_revision(story: Story) -> None:
    """Build another good source under traffic and promote it."""
    say("3. A second, good revision: another source, built under traffic")
    source = {"uri": f"oci://{story.environment.registry}/models/minilm:2"}
    wanted = patch(story.environment, {"source": source})
    view = roll_out(story, "the promotion", lambda v: is_serving(v, wanted), NEXT_ROLLOUT_SECONDS)
    show_candidates(view)


def third_revision(story: Story) -> dict[str, Timeline]:
    """Roll out a revision that is bad in the field only; return the rollback of each class."""
    say(
        "4. A third revision, bad in the field only: it passes every gate, and is slow on texts that are longer"
        f" than those of the data set, which {LONG_TEXTS} of {USUAL_TEXTS + LONG_TEXTS} requests carry"
    )
    source = {"uri": f"oci://{story.environment.registry}/models/minilm:3"}
    wanted = patch(story.environment, {"source": source})

    def rolled_back(view: View) -> bool:
        status = view.model.status
        rejected = [rejection_of(view.model, target) is not None for target in status.targets]
        return status.observed_generation >= wanted and all(rejected)

    view = roll_out(story, "the rollback on every class", rolled_back, ROLLBACK_SECONDS)
    return timelines(story, view)


def timelines(story: Story, view: View) -> dict[str, Timeline]:
    """Return the rollback of each class, as its nodes' traffic saw it."""
    members = {n.metadata.name: n.spec.hardware_class_name for n in view.nodes}
    events = node_events(story.environment, f"{NAMESPACE}.{MODEL}")
    found = {}
    for hardware_class in CLASSES:
        target = view.target(hardware_class)
        bad = next(
            r
            for r in reversed(view.model.status.rejected)
            if r.hardware_class_name == hardware_class
        )
        verdicts = [
            (veto.failure_time.timestamp(), node.metadata.name)
            for node in view.nodes
            for model in node.status.models
            for veto in model.vetoes
            if veto.revision == bad.revision
        ]
        if target is None or not verdicts:
            continue
        at, node_name = min(verdicts)
        answers = [a for a in list(story.traffic.answers) if members.get(a.node) == hardware_class]
        of_class = [e for e in events if members.get(e.node) == hardware_class]
        timeline = rollback_timeline(answers, of_class, bad.revision, at, node_name)
        if timeline:
            found[hardware_class] = timeline
    return found


def tell_the_end(story: Story, found: dict[str, Timeline]) -> None:
    """Print the timeline of the rollback, and the requests lost at switches and otherwise."""
    if found:
        console.print(report.rollback(found))
    else:
        console.print("The bad revision was rolled back before a request met it.")
    bad = {timeline.bad_revision for timeline in found.values()}
    answers = list(story.traffic.answers)
    moving = switches(answers)
    unanswered = lost(a for a in answers if a.revision not in bad)
    by_switching = lost(a for a in answers if a.revision not in bad and is_within(a, moving))
    console.print(
        f"{len(answers)} requests in all. Lost by switching: {losses(by_switching)}."
        f" Errors of the bad revision: {losses(lost(a for a in answers if a.revision in bad))}."
    )
    if elsewhen := unanswered - by_switching:
        console.print(
            f"Lost while their node switched nothing: {losses(elsewhen)}. Four nodes with their builds and"
            " servers share this machine's processors; answers wait for them."
        )


def losses(counted: Counter[str]) -> str:
    """Return `none`, or how many were lost and what came instead."""
    return f"{counted.total()} ({dict(counted)})" if counted else "none"


def look_around(environment: Environment) -> None:
    """Print how to continue from here."""
    say("It stays up. Look around:")
    console.print(
        f"  export KUBECONFIG={environment.kubeconfig} PATH={Path(environment.kubectl_path).parent}:$PATH\n"
        f"  kubectl get em,mv,mr -n {NAMESPACE}; kubectl get en,hwc\n"
        f"  kubectl describe em {MODEL} -n {NAMESPACE}\n"
        "  kubectl logs -n skerry-system deploy/skerry-operator\n"
        "  kubectl logs -n skerry-system ds/skerry-agent\n"
        "  make demo-down      # clears it all away"
    )


def play(environment: Environment) -> None:
    """Play the whole story."""
    say("Images: what changed is built, all of it is in the registry")
    built = install.build_and_push(environment)
    say("Skerry is installed with Helm")
    install.install_chart(
        environment, built, {"agent.heartbeatSeconds": "5", "builds.maxConcurrent": "2"}
    )
    say("The example's model and data set are made and pushed")
    made = make_sources()
    push_sources(environment, made)
    with Traffic(environment) as traffic:
        watcher = Watcher(environment, NAMESPACE, MODEL)
        requests = requests_of_the_field(made / "dataset" / "dataset.npz")
        story = Story(environment, watcher, traffic, built["images"]["agent"], requests)
        first_revision(story)
        start_traffic(story)
        second_revision(story)
        tell_the_end(story, third_revision(story))
    look_around(environment)
