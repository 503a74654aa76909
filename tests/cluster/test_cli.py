"""The command line against a real API server and operator: one model in a person's hands, then bad uses.

The tests of the first part tell one story, in their order. Commands run in this process, by the same
way in as the installed script, but for one that kubectl itself runs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from skerry.api.common import LABEL_REVISION
from skerry.api.edgemodel import Outcome, Phase
from skerry.cluster import kinds
from tests.cluster.world import CLASSES, ROLLOUT_SECONDS, World, manifest
from tests.waiting import wait_for

if TYPE_CHECKING:
    from skerry.api import EdgeModel
    from tests.cluster.cli import Cli

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NAME = "tiny"
RING = {"example.com/ring": "bench"}


def by_hand(registry: str) -> dict[str, Any]:
    """Return a rollout with rings and manual promotion."""
    model = manifest(registry, NAME)
    waves = [{"nodeSelector": RING}, {"percent": 100}]
    model["spec"]["rollout"] |= {"promotion": "Manual", "waves": waves}
    return model


def until(world: World, *reasons: str) -> EdgeModel:
    """Wait until the classes say these reasons, in their order, of the spec as it is."""
    return wait_for(
        f"the reasons {reasons}",
        world.model,
        lambda m: (
            m.status.observed_generation == m.metadata.generation
            and tuple(t.reason for t in m.status.targets) == reasons
        ),
        ROLLOUT_SECONDS,
    )


def nodes_with(world: World, revision: str | None) -> set[str]:
    """Return nodes on which the DaemonSet controller has made pods of a revision."""
    pods = world.api.list(kinds.POD, world.namespace, f"{LABEL_REVISION}={revision}")
    return {pod["spec"].get("nodeName", "") for pod in pods}


def test_a_suspended_model_is_not_even_read(world: World, cli: Cli) -> None:
    suspended = by_hand(world.registry)
    suspended["spec"]["suspend"] = True
    world.kubectl.apply(suspended)
    model = until(world, "Suspended", "Suspended")
    assert model.status.phase is Phase.PAUSED
    assert world.api.list(kinds.JOB, world.namespace) == []
    said = cli("status", NAME)
    assert "Paused" in said
    assert "suspended" in said


def test_a_ring_without_nodes_is_reported_and_not_passed_over(world: World, cli: Cli) -> None:
    world.patch({"suspend": False})
    until(world, "RingWithoutNodes", "RingWithoutNodes")
    said = cli("status", NAME)
    assert "no node of any class has these labels" in said
    assert "build tiny-op-a" in said
    assert world.daemonsets() == set()


def test_a_ring_gets_the_candidate_alone(world: World, cli: Cli) -> None:
    """The DaemonSet controller is the real one: it makes pods where the affinity says."""
    world.devices.soaking = True
    node = world.api.get(kinds.NODE, None, "op-a1")
    world.api.merge(kinds.NODE, node, {"metadata": {"labels": RING}})
    candidate = wait_for(
        "the candidate in its ring",
        lambda: world.route("op-a").spec.candidate,
        lambda c: c is not None and nodes_with(world, c.revision) == {"op-a1"},
        ROLLOUT_SECONDS,
    )
    assert candidate is not None
    said = wait_for(
        "the node's state in the tree",
        lambda: cli("status", NAME),
        lambda text: "op-a1:" in text and "Soaking at 90 %" in text,
        ROLLOUT_SECONDS,
    )
    assert "wave 1 of 2 (ring example.com/ring=bench): 0 of 1 nodes passed" in said
    assert nodes_with(world, candidate.revision) == {"op-a1"}, "op-a2 is not in the ring"
    b = world.route("op-b").spec.candidate
    assert b is not None
    assert nodes_with(world, b.revision) == {"op-b1"}, "passed over: another class has the ring"
    world.devices.soaking = False


def test_it_waits_for_a_person_class_by_class(world: World, cli: Cli) -> None:
    model = until(world, "AwaitingPromotion", "AwaitingPromotion")
    assert model.status.phase is Phase.PAUSED
    assert all(target.rollout.stable is None for target in model.status.targets)
    said = cli("promote", NAME, "--class", "op-a")
    assert re.search(r"op-a: [0-9a-f]{10} is approved", said)
    assert "op-b" not in said
    until(world, "Serving", "AwaitingPromotion")
    assert "approved" in cli("promote", NAME)
    model = until(world, "Serving", "Serving")
    assert model.status.phase is Phase.SERVING
    assert model.metadata.generation == 2, "nobody wrote the spec since"


def test_abort_and_retry(world: World, cli: Cli) -> None:
    before = [t.rollout.stable for t in world.model().status.targets]
    world.serve("600m")
    until(world, "AwaitingPromotion", "AwaitingPromotion")
    said = cli("abort", NAME)
    assert said.count("is rolled back") == 2
    model = until(world, "Aborted", "Aborted")
    assert [t.rollout.stable for t in model.status.targets] == before
    assert {r.rule for r in model.status.rejected} == {"Aborted"}
    assert {e.outcome for e in model.status.history} == {Outcome.PROMOTED, Outcome.ABORTED}
    assert "retrying after Aborted" in cli("retry", NAME)
    model = until(world, "AwaitingPromotion", "AwaitingPromotion")
    assert [t.rollout.attempt for t in model.status.targets] == [1, 1]


def test_undo_after_promotion(world: World, cli: Cli) -> None:
    old = [t.rollout.stable for t in world.model().status.targets]
    cli("promote", NAME)
    model = until(world, "Serving", "Serving")
    assert [t.rollout.previous for t in model.status.targets] == old
    assert cli("undo", NAME).count("back to") == 2
    model = until(world, "Undone", "Undone")
    assert [t.rollout.stable for t in model.status.targets] == old
    assert model.status.phase is Phase.ROLLED_BACK


def test_history_says_how_each_ended(world: World, cli: Cli) -> None:
    said = cli("history", NAME)
    assert [said.count(str(o)) for o in (Outcome.PROMOTED, Outcome.ABORTED)] == [4, 2]
    assert "a user undid it" in said
    assert "op-b" not in cli("history", NAME, "--class", "op-a")
    assert len(world.model().status.history) == 8


def test_the_report_is_a_page_of_its_own(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    code, said, wrong = cli.run("report", NAME, "--output", str(target))
    assert code == 0, wrong
    assert "without raw latencies" in wrong, "the played build pushed no artifact"
    page = target.read_text()
    assert str(target) in said
    assert page.count("<svg") == len(CLASSES)
    assert "weight-int8-block128 (chosen)" in page


def test_plan_says_what_would_change(world: World, cli: Cli, tmp_path: Path) -> None:
    changed = by_hand(world.registry)
    changed["spec"]["gates"] = {"quality": "0.90"}
    changed["spec"]["rollout"]["soak"] = "2s"
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(changed))
    before = world.model()
    said = cli("plan", "-f", str(file))
    assert "Engines for op-a" in said
    assert "choice 3 for x86 CPUs" in said or "choice" in said
    assert re.search(r"gates\.quality.*0\.95.*0\.90.*applied to the stored results", said)
    assert re.search(r"serving\.resources\.limits\.cpu.*600m.*500m.*measured again", said)
    assert world.model().metadata.resource_version == before.metadata.resource_version


def test_plan_ends_with_an_error_where_a_target_would_fail(
    world: World, cli: Cli, tmp_path: Path
) -> None:
    """So that a pull request's check can stop on it."""
    changed = by_hand(world.registry)
    changed["spec"]["targets"].append({"hardwareClassName": "op-c"})
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(changed))
    code, said, wrong = cli.run("plan", "-f", str(file))
    assert code == 1
    assert "op-c: there is no such HardwareClass (known: " in said
    assert f"{file}: would fail: {NAME} on op-c" in wrong


def test_kubectl_runs_it_as_a_plug_in(world: World) -> None:
    """`kubectl skerry`: found on PATH by its own name."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [world.kubectl.binary, "skerry", "status", NAME, "-n", world.namespace],
        env={**os.environ, "PATH": path, "KUBECONFIG": str(world.kubectl.kubeconfig), "COLUMNS": "200"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{world.namespace}/{NAME}" in done.stdout


def test_watch_shows_it_again_until_it_is_ended(world: World) -> None:
    """Into a pipe it prints one tree after the other."""
    scope = ("--kubeconfig", str(world.kubectl.kubeconfig), "-n", world.namespace)
    program = str(Path(sys.executable).parent / "skerry")
    watching = subprocess.Popen(
        [program, "status", NAME, "--watch", "--interval", "0.5", *scope],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert watching.stdout is not None
        seen = 0
        while seen < 2:
            line = watching.stdout.readline()
            assert line, watching.stderr.read() if watching.stderr else ""
            seen += NAME in line and "Ready=" in line
    finally:
        watching.terminate()
    _, wrong = watching.communicate(timeout=60)
    assert wrong == ""


NO_MODEL = ("there is no EdgeModel of this name", " has: tiny; choose another namespace with -n")
NO_CLASS = ("it has no target op-c", "choose from op-a, op-b")
COMMANDS = ("promote", "abort", "undo", "history", "report", "retry", "status")
BAD = [
    *[((command, "tny"), NO_MODEL) for command in COMMANDS],
    *[
        ((command, NAME, "--context", "nope"), ("there is no context nope",))
        for command in COMMANDS
    ],
    *[
        ((command, NAME, "--kubeconfig", "/nowhere"), ("/nowhere", "there is no such kubeconfig"))
        for command in COMMANDS
    ],
    *[((command, NAME, "-n", "empty"), ("namespace empty has: none",)) for command in COMMANDS],
    *[((command, NAME, "--frob"), ("No such option: --frob",)) for command in COMMANDS],
    *[((command, NAME, "-c", "op-c"), NO_CLASS) for command in ("promote", "abort", "undo")],
    *[((command,), ("Missing argument",)) for command in COMMANDS if command != "status"],
    (("promote", NAME), ("no candidate is on trial", "op-a Undone")),
    (("abort", NAME), ("no candidate is on trial", "use `undo` after")),
    (("undo", NAME), ("no previous revision is kept", "change the spec back")),
    (("status", NAME, "-A"), ("can't be combined with --all-namespaces",)),
    (("status", NAME, "--watch", "--interval", "0"), ("--interval",)),
    (("report", NAME, "-o", "/nowhere/page.html"), ("cannot be written", "--output")),
    (("plan",), ("Missing option",)),
    (("plan", "-f", "/nowhere.yaml"), ("/nowhere.yaml: cannot be read",)),
    (("frob",), ("No such command",)),
]


@pytest.mark.parametrize(("words", "says"), BAD, ids=lambda value: " ".join(value)[:40])
def test_bad_uses_say_what_to_do(cli: Cli, words: tuple[str, ...], says: tuple[str, ...]) -> None:
    message = cli.refused(*words)
    for part in says:
        assert part in message


BAD_FILES = {
    "no yaml": ("a: [", "this is not YAML"),
    "a list": ("[1, 2]", "it holds no object"),
    "no model": ("kind: ConfigMap\nmetadata: {name: a}", "it holds no EdgeModel"),
    "no source": ("kind: EdgeModel\nmetadata: {name: a}\nspec: {targets: [{hardwareClassName: a}]}",
                  "spec.source: is missing, and must be set"),
    "a rule broken": ("WAVES", "the last wave must be {percent: 100}"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_reported_with_their_place(
    cli: Cli, world: World, tmp_path: Path, name: str
) -> None:
    text, says = BAD_FILES[name]
    if text == "WAVES":
        wrong = by_hand(world.registry)
        wrong["spec"]["rollout"]["waves"] = [{"percent": 5}]
        text = json.dumps(wrong)
    file = tmp_path / "model.yaml"
    file.write_text(text)
    message = cli.refused("plan", "--offline", "-f", str(file))
    assert str(file) in message
    assert says in message


def test_a_promotion_that_is_automatic_needs_no_approval(world: World, cli: Cli) -> None:
    world.patch({"rollout": {"promotion": "Automatic"}})
    assert "needs no approval" in cli.refused("promote", NAME)
    world.patch({"rollout": {"promotion": "Manual"}})


def test_nothing_to_retry_is_reported(world: World, cli: Cli) -> None:
    world.serve("500m")
    until(world, "Serving", "Serving")
    assert "nothing failed or was rolled back" in cli.refused("retry", NAME)
