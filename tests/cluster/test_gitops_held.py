"""Argo CD, Flux and `kubectl wait` where a person holds a model, or one of its parts has come to nothing.

Two engines, a fetch job, promotion, suspension and undoing by hand, a wave that does not get on: real
objects by the real operator, as in test_gitops; the tests with the model `held` tell one story.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from skerry.cluster import kinds
from skerry.render.routes import route_name
from tests.cluster.verdicts import ACT, HELD, ON_ITS_WAY, WELL, wait_in_background
from tests.cluster.world import ROLLOUT_SECONDS, World, manifest, running_world
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.conftest import Kubectl
    from tests.cluster.verdicts import Seen, Verdicts
    from tests.lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

CLASS, NAME = "held-a", "held"
SPEEDUPS = {"OpenVINO": "2.6", "ONNXRuntime": "1.5"}


@pytest.fixture(scope="module")
def world(
    control_plane: Lab, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Yield one node, and an operator with two engines, one of which builds nothing."""
    folder = tmp_path_factory.mktemp("operator")
    classes: dict[str, tuple[str, ...]] = {CLASS: ("held-a1",)}
    started = running_world(control_plane, kubectl, folder, classes=classes, speedups=SPEEDUPS)
    with started as made:
        made.devices.shortfall = frozenset({"ONNXRuntime"})
        yield made


def wanted(world: World, name: str, engine: str = "Auto") -> dict[str, Any]:
    """Return an EdgeModel on the one class."""
    model = manifest(world.registry, name)
    model["spec"]["targets"] = [{"hardwareClassName": CLASS, "engine": engine}]
    return model


def seen_at(world: World, judge: Verdicts, reason: str, name: str = NAME) -> Seen:
    """Return the model's verdict as soon as the operator gives this reason for the spec as it is."""

    def said(item: dict[str, Any]) -> list[str]:
        status = item.get("status", {})
        known = status.get("observedGeneration") == item["metadata"]["generation"]
        return [target["reason"] for target in status.get("targets", ()) if known]

    found = wait_for(
        f"{name} to say {reason}",
        lambda: world.api.get(kinds.EDGE_MODEL, world.namespace, name),
        lambda item: said(item) == [reason],
        ROLLOUT_SECONDS,
    )
    return judge(found)[0]


def test_an_engine_that_is_not_installed_asks_for_a_person(world: World, judge: Verdicts) -> None:
    world.kubectl.apply(wanted(world, "elsewhere", "LlamaCPP"))
    waiting = wait_in_background(world.kubectl, "elsewhere", "Stalled")
    seen = seen_at(world, judge, "EngineNotInstalled", "elsewhere")
    assert seen.both == ACT
    assert seen.argocd_message.startswith("EngineNotInstalled: held-a: engine LlamaCPP is not")
    assert waiting.wait(30) == 0
    world.kubectl("delete", "edgemodel", "elsewhere")


def test_a_fetch_is_on_its_way_and_its_refusal_asks_for_a_person(
    world: World, judge: Verdicts
) -> None:
    """The fetch job runs as processes; the Secret that it needs is not there."""
    model = wanted(world, "fetched")
    model["spec"]["source"] = {"uri": "s3://models/v1/", "credentialsSecretName": "reader"}
    world.kubectl.apply(model)
    waiting = wait_in_background(world.kubectl, "fetched", "Stalled")
    assert seen_at(world, judge, "Fetching", "fetched").both == ON_ITS_WAY
    seen = seen_at(world, judge, "SourceSecretUnusable", "fetched")
    assert seen.both == ACT
    assert "the Secret reader that credentialsSecretName names is not there" in seen.argocd_message
    assert waiting.wait(30) == 0
    world.kubectl("delete", "edgemodel", "fetched")


def test_what_waits_for_a_promotion_is_held(world: World, judge: Verdicts) -> None:
    """An engine that met no gates asks for nothing as long as another one did, but its variant says so."""
    model = wanted(world, NAME)
    model["spec"]["rollout"]["promotion"] = "Manual"
    world.kubectl.apply(model)
    waiting = wait_in_background(world.kubectl, NAME, "Ready")
    seen = seen_at(world, judge, "AwaitingPromotion")
    assert seen.both == HELD
    assert seen.argocd_message.startswith("AwaitingPromotion: held-a: ")
    assert "kubectl skerry promote held" in seen.argocd_message
    variants = world.api.list(kinds.MODEL_VARIANT, world.namespace)
    by_engine = {v["spec"]["engine"]: judge(v)[0].both for v in variants}
    assert by_engine == {"OpenVINO": WELL, "ONNXRuntime": ACT}
    act(world, "promote", world.route(CLASS, NAME).spec.candidate)
    assert waiting.wait(30) == 0
    assert seen_at(world, judge, "Serving").both == WELL


def test_what_is_suspended_is_held(world: World, judge: Verdicts) -> None:
    world.patch({"suspend": True}, NAME)
    assert seen_at(world, judge, "Serving").both == WELL, "nothing is held"
    world.serve("600m", NAME)
    seen = seen_at(world, judge, "Suspended")
    assert seen.both == HELD
    assert seen.argocd_message.startswith("Suspended: held-a: ")


def test_a_wave_that_does_not_get_on_and_its_abort_ask_for_a_person(
    world: World, judge: Verdicts
) -> None:
    world.devices.soaking = True
    waiting = wait_in_background(world.kubectl, NAME, "Stalled")
    world.patch({"suspend": False, "rollout": {"progressDeadline": "1s"}}, NAME)
    seen = seen_at(world, judge, "ProgressDeadlineExceeded")
    assert seen.both == ACT
    assert "waits for 1 of its nodes; held-a1: its candidate is Soaking" in seen.argocd_message
    assert waiting.wait(30) == 0
    route = world.api.get(kinds.MODEL_ROUTE, world.namespace, route_name(NAME, CLASS))
    assert judge(route)[0].argocd == "Progressing", "nothing was rolled back"
    act(world, "abort", world.route(CLASS, NAME).spec.candidate)
    seen = seen_at(world, judge, "Aborted")
    assert seen.both == ACT
    assert "a user aborted it" in seen.argocd_message
    world.devices.soaking = False


def test_what_was_undone_by_hand_asks_for_a_person(world: World, judge: Verdicts) -> None:
    """The spec still asks for what is no longer needed."""
    world.patch({"rollout": {"progressDeadline": "1h", "promotion": "Automatic"}}, NAME)
    world.serve("700m", NAME)
    assert seen_at(world, judge, "Serving").both == WELL
    act(world, "undo", world.route(CLASS, NAME).spec.stable)
    seen = seen_at(world, judge, "Undone")
    assert seen.both == ACT
    assert "a user undid it" in seen.argocd_message


def act(world: World, action: str, about: Any) -> None:
    """Annotate the model as a person would without the command line."""
    assert about is not None
    mark = f"skerry.dev/{action}={about.revision}"
    world.kubectl("annotate", "--overwrite", "edgemodel", NAME, mark)
