"""A target with two engines: both build, one is chosen, one that fails stands in nobody's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry.api.config import EngineSettings
from skerry.api.edgemodel import Phase
from skerry.api.modelvariant import RecipeResult, VariantArtifact
from skerry.decide.decision import BuildJob
from tests.unit.decide.plan_world import CONFIG, IMAGE, World, assessed, recipe_result, summary

if TYPE_CHECKING:
    from skerry.api.edgemodel import TargetStatus

OPENVINO = EngineSettings(
    version="2026.4.1", recipe_set="openvino/2", optimizer_image=IMAGE, runtime_image=IMAGE
)
BOTH = CONFIG.model_copy(update={"engines": CONFIG.engines | {"OpenVINO": OPENVINO}})
DIGESTS = {"OpenVINO": "sha256:" + "1" * 64, "ONNXRuntime": "sha256:" + "2" * 64}


def both(**spec: Any) -> World:
    """Return an assessed model on a class for which both engines are installed."""
    return assessed(**spec).with_(config=BOTH)


def next_engine(made: World) -> str:
    """Return the engine whose job is started now."""
    (job,) = made.decide().jobs
    assert isinstance(job, BuildJob)
    assert job.plan.engine == job.engine
    return job.engine


def ends(made: World, *recipe_results: RecipeResult, passed: bool = True) -> World:
    """Let the job that is started now run and end."""
    engine = next_engine(made)
    said = summary(*recipe_results, passed=passed)
    if passed:
        digest = DIGESTS[engine]
        artifact = VariantArtifact(image=f"reg.example/x@{digest}", digest=digest)
        said = said.model_copy(update={"artifact": artifact})
    return made.step().job_ends(said.model_dump_json(by_alias=True))


def target(made: World) -> TargetStatus:
    (found,) = made.decide().status.targets
    return found


def test_engines_build_one_after_the_other_in_the_order_of_the_ranking() -> None:
    made = both()
    assert next_engine(made) == "OpenVINO"
    first = ends(made, recipe_result("ptq-int8"))
    assert next_engine(first) == "ONNXRuntime"
    waiting = target(first)
    assert waiting.phase is Phase.OPTIMIZING
    assert waiting.rollout.desired is None
    assert {build.engine: build.phase for build in waiting.build.engine_builds} == {
        "OpenVINO": "Certified",
        "ONNXRuntime": "Optimizing",
    }


def test_the_better_build_is_chosen_with_words_and_a_front_of_both() -> None:
    made = ends(both(), recipe_result("ptq-int8", quality=0.96, speedup=2.6))
    made = ends(made, recipe_result("weight-int8", quality=0.98, speedup=1.5)).settle()
    found = target(made)
    assert (found.build.engine, found.build.recipe, found.phase) == (
        "OpenVINO",
        "ptq-int8",
        Phase.ROLLING_OUT,
    )
    assert found.build.choice.startswith(
        "OpenVINO ptq-int8 is better than ONNXRuntime weight-int8 ("
    )
    assert [(one.engine, one.recipe) for one in found.build.front] == [
        ("OpenVINO", "ptq-int8"),
        ("ONNXRuntime", "weight-int8"),
    ]
    assert len(made.snapshot.variants) == 2
    assert found.build.variant_name in made.snapshot.variants


def test_each_engine_s_gates_are_its_own_and_the_other_continues() -> None:
    made = ends(both(), recipe_result("ptq-int8", quality=0.9), passed=False)
    made = ends(made, recipe_result("weight-int8")).settle()
    found = target(made)
    assert (found.build.engine, found.phase) == ("ONNXRuntime", Phase.ROLLING_OUT)
    assert found.build.choice.startswith("ONNXRuntime weight-int8 is the only certified build: ")
    assert (
        "OpenVINO: quality 0.900 (0.891 to 0.909) is below the required 0.950" in found.build.choice
    )


def test_when_no_engine_passes_each_shortfall_is_reported() -> None:
    made = ends(both(), recipe_result("ptq-int8", quality=0.9), passed=False)
    made = ends(made, recipe_result("weight-int8", quality=0.9), passed=False)
    found = target(made)
    assert (found.phase, found.reason) == (Phase.FAILED, "GatesNotMet")
    shortfall = (
        "quality 0.900 (0.891 to 0.909) is below the required 0.950; it would pass with"
        ' spec.gates.quality: "0.89", as far as measured'
    )
    assert found.message == f"OpenVINO: {shortfall}; ONNXRuntime: {shortfall}"


def test_a_failed_job_leaves_the_target_to_the_other_engine() -> None:
    made = both().step().job(failure=("BackoffLimitExceeded", "too often"))
    made = ends(made, recipe_result("weight-int8")).settle()
    assert target(made).build.engine == "ONNXRuntime"


def test_a_failed_engine_that_is_tried_again_stops_no_rollout_and_may_still_win() -> None:
    made = both().step().job(failure=("BackoffLimitExceeded", "too often"))
    made = ends(made, recipe_result("weight-int8", speedup=1.5)).settle()
    before = target(made).rollout.desired
    again = made.model(rollout={"soak": "5s"})
    assert next_engine(again) == "OpenVINO"
    assert target(again).rollout.desired == before
    won = ends(again, recipe_result("ptq-int8", speedup=2.6))
    assert target(won).build.engine == "OpenVINO"
    assert target(won).rollout.desired not in {None, before}


def test_a_target_that_names_an_engine_builds_with_that_alone() -> None:
    made = both(targets=[{"hardwareClassName": "x86", "engine": "ONNXRuntime"}])
    assert next_engine(made) == "ONNXRuntime"
    made = ends(made, recipe_result("weight-int8")).settle()
    assert not made.decide().jobs
    assert target(made).build.engine == "ONNXRuntime"


def test_an_engine_that_is_not_installed_is_named_with_what_is() -> None:
    made = both(targets=[{"hardwareClassName": "x86", "engine": "LlamaCPP"}])
    found = target(made)
    assert (found.phase, found.reason) == (Phase.FAILED, "EngineNotInstalled")
    assert "engine LlamaCPP is not installed (installed: OpenVINO, ONNXRuntime)" in found.message


def test_deciding_twice_changes_nothing_more_with_two_engines() -> None:
    made = ends(both(), recipe_result("ptq-int8", speedup=2.6))
    settled = ends(made, recipe_result("weight-int8", speedup=1.5)).settle()
    assert settled.step().snapshot == settled.snapshot


def test_other_gates_choose_again_between_the_stored_builds() -> None:
    made = ends(both(), recipe_result("ptq-int8", quality=0.96, speedup=2.6))
    made = ends(made, recipe_result("weight-int8", quality=0.98, speedup=1.5)).settle()
    stricter = made.model(gates={"quality": "0.97"})
    assert not stricter.decide().jobs
    assert target(stricter).build.engine == "ONNXRuntime"


def test_a_suspended_model_waits_for_its_other_engine_and_fails_nothing() -> None:
    begun = ends(both(), recipe_result("ptq-int8"))
    model = begun.snapshot.model
    spec = model.spec.model_copy(update={"suspend": True})
    held = begun.with_(model=model.model_copy(update={"spec": spec}))
    assert held.decide().jobs == ()
    found = target(held)
    assert found.phase is Phase.PAUSED
    assert "once spec.suspend is false again" in found.message
