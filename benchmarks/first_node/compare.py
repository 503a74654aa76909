"""From `kubectl apply` to the first answer, the build being finished in the registry, against the same by hand.

Skerry: apply an EdgeModel whose source was built, measured and certified before, then ask the nodes' gateways
until one answers 200. By hand: apply a DaemonSet whose pods are those of the revision (same image volume, same
runtime image, same limits and probes, on the nodes of the first wave) and a Service, then ask the nodes until
one answers 200. Both delete all they made after each round, with all images pulled. The steps of each show
where its time goes.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from benchmarks.first_node.stage import (
    BUILD_SECONDS,
    GATEWAY_PORT,
    MODEL,
    NAMESPACE,
    Stage,
    prepare,
)
from benchmarks.first_node.watching import PodMoments
from benchmarks.shared.figures import alternated, medians, ratio
from tests.lab.client.environment import bring_up

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

log = logging.getLogger("benchmarks.first_node")

AT_MOST = 1.2
BY_HAND = "by-hand"
BY_HAND_PORT = 30099
INFER = f"/v2/models/{MODEL}/infer"

Steps = dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument(
        "--lab", default="benchmarks", help="its name; KUBECONFIG and REGISTRY go before"
    )
    parser.add_argument("--rounds", type=int, default=5)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Bring the cluster up, let the model be built once, and measure both ways in turn."""
    environment = bring_up(options.lab, log.info)
    try:
        stage = prepare(environment)
        pod = _built_once(stage)
        sides: dict[str, Callable[[], Steps]] = {
            "skerry": lambda: _by_skerry(stage),
            "byHand": lambda: _by_hand(stage, pod),
        }
        for side in sides.values():
            side()  # images that a node did not have yet
        found: dict[str, list[Steps]] = {name: [] for name in sides}
        for order in alternated(tuple(sides), options.rounds):
            for name in order:
                found[name].append(sides[name]())
                log.info("%s: %s", name, found[name][-1])
    finally:
        if environment.lab is not None:
            environment.lab.down()
    return _summary(found)


def _built_once(stage: Stage) -> dict[str, Any]:
    """Let the model be built and served once; return its pod's template, and delete all."""
    stage.environment.kubectl("apply", "-f", "-", stdin=stage.manifest())
    stage.first_answer(GATEWAY_PORT, f"/{NAMESPACE}/{MODEL}{INFER}", BUILD_SECONDS)
    (made,) = stage.environment.get("-n", NAMESPACE, "daemonsets")["items"]
    template: dict[str, Any] = made["spec"]["template"]
    # on every node of the class: whichever the first wave takes has the images
    stage.until("the whole class serves", lambda: _all_ready(stage), BUILD_SECONDS)
    stage.clear(f"edgemodel/{MODEL}")
    return template


def _all_ready(stage: Stage) -> bool:
    (made,) = stage.environment.get("-n", NAMESPACE, "daemonsets")["items"]
    return int(made["status"].get("numberReady", 0)) == len(stage.nodes)


def _by_skerry(stage: Stage) -> Steps:
    with PodMoments(stage.environment.kubeconfig, NAMESPACE) as moments:
        begun = time.monotonic()
        stage.environment.kubectl("apply", "-f", "-", stdin=stage.manifest())
        answered = stage.first_answer(GATEWAY_PORT, f"/{NAMESPACE}/{MODEL}{INFER}")
        steps = _steps(moments.first, begun, answered)
    stage.clear(f"edgemodel/{MODEL}")
    return steps


def _by_hand(stage: Stage, template: dict[str, Any]) -> Steps:
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": by_hand(template)})
    with PodMoments(stage.environment.kubeconfig, NAMESPACE) as moments:
        begun = time.monotonic()
        stage.environment.kubectl("apply", "-f", "-", stdin=objects)
        answered = stage.first_answer(BY_HAND_PORT, INFER)
        steps = _steps(moments.first, begun, answered)
    stage.clear(f"daemonset/{BY_HAND}", f"service/{BY_HAND}")
    return steps


def by_hand(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the DaemonSet of a revision's pods, without Skerry's labels, and a Service in front of it.

    It keeps the placement of the first wave: of a class at once the fastest of several nodes would be
    compared with the one that Skerry begins with.
    """
    labels = {"app": BY_HAND}
    metadata = {"name": BY_HAND, "namespace": NAMESPACE}
    daemonset = {
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        },
    }  # fmt: skip
    port = {"port": 80, "targetPort": 8080, "nodePort": BY_HAND_PORT}
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": metadata,
        "spec": {
            "type": "NodePort", "selector": labels, "ports": [port], "externalTrafficPolicy": "Local",
        },
    }  # fmt: skip
    return [daemonset, service]


def _steps(moments: dict[str, float], begun: float, answered: float) -> Steps:
    """Return the seconds from the apply to each step, in order."""
    seen = {name: at - begun for name, at in moments.items() if begun <= at <= answered}
    steps = dict(sorted(seen.items(), key=lambda item: item[1]))
    return {name: round(at, 2) for name, at in {**steps, "answered": answered - begun}.items()}


def _summary(found: dict[str, list[Steps]]) -> dict[str, Any]:
    answered = {name: [steps["answered"] for steps in rounds] for name, rounds in found.items()}
    common = {
        name: [
            {step: one[step] for step in rounds[0] if all(step in other for other in rounds)}
            for one in rounds
        ]
        for name, rounds in found.items()
    }
    return {
        "model": MODEL,
        "wall": ratio(answered["skerry"], answered["byHand"], at_most=AT_MOST),
        "seconds": answered,
        "stepsSeconds": {name: medians(rounds) for name, rounds in common.items()},
    }
