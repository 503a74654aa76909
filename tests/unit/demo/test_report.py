"""What the demonstration says about the engines' contest."""

from __future__ import annotations

import pytest

from examples.demo.report import agreement
from skerry.api.target_status import BuildPhase, BuildStatus, EngineBuildStatus, TargetStatus

XEON = "Xeon 8370C"


def target(hardware_class: str, winner: str) -> TargetStatus:
    """Return a target where both engines are certified with int8, and one is chosen."""
    builds = tuple(
        EngineBuildStatus(
            engine=e,
            variant_name=f"v-{e.lower()}",
            phase=BuildPhase.CERTIFIED,
            reason="",
            recipe="int8",
        )
        for e in ("ONNXRuntime", "OpenVINO")
    )
    return TargetStatus(
        hardware_class_name=hardware_class, build=BuildStatus(engine=winner, engine_builds=builds)
    )


@pytest.mark.parametrize(
    ("winners", "cpus", "says"),
    [
        (("OpenVINO", "ONNXRuntime"), {}, "Different winners."),
        (("OpenVINO", "OpenVINO"), {"a": {XEON}, "b": {XEON}}, f"same processor ({XEON})"),
        (("OpenVINO", "OpenVINO"), {"a": {XEON}, "b": {"N100"}}, "although their processors are"),
        (("OpenVINO", "OpenVINO"), {}, "not reported"),
    ],
)
def test_the_classes_winners_are_reported_with_a_reason(
    winners: tuple[str, str], cpus: dict[str, set[str]], says: str
) -> None:
    said = agreement([target("a", winners[0]), target("b", winners[1])], cpus)
    assert says in said
    assert f"a: {winners[0]} int8" in said
