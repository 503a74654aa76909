"""The ranking of engines and recipes, and the family of a model: tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from skerry.api.config import EngineSettings, OperatorConfig
from skerry.api.edgemodel import Assessment, EngineRank, TargetStatus
from skerry.decide.nodes.device import Device
from skerry.decide.nodes.select import rank_engines
from skerry.engines import EnginePlugin, installed_engines
from skerry.models.assess import Family, family_of, quantizable_share

if TYPE_CHECKING:
    from collections.abc import Mapping

PLUGINS = installed_engines()
ASSESSMENT = Assessment(
    source_digest="sha256:" + "0" * 64, format="ONNX, opset 17", bytes=1, parameters=1
)


def hardware(architecture: str = "amd64", *features: str) -> Device:
    return Device(architecture, features)


def settings(*engines: str, **fields: Any) -> dict[str, EngineSettings]:
    """Return the engines of an operator's configuration."""
    image = "registry.example/image@sha256:" + "0" * 64
    given = {
        "version": "1", "recipe_set": "a/1", "optimizer_image": image, "runtime_image": image,
    } | fields  # fmt: skip
    return {name: EngineSettings.model_validate(given) for name in engines}


def ranked(
    assessment: Assessment,
    device: Device,
    settings: Mapping[str, EngineSettings],
    plugins: Mapping[str, EnginePlugin] = PLUGINS,
) -> tuple[EngineRank, ...]:
    """Return the ranking with the engines of this environment."""
    return rank_engines(assessment, device, settings, plugins)


BOTH = settings("ONNXRuntime", "OpenVINO")


@pytest.mark.parametrize(
    ("device", "first", "built"),
    [
        (hardware("amd64", "avx512_vnni"), "OpenVINO", ["OpenVINO", "ONNXRuntime"]),
        (hardware("amd64", "nvidia_l4"), "Olive", ["OpenVINO", "ONNXRuntime"]),
        (hardware("arm64", "apple_m4"), "MLX", ["ONNXRuntime", "OpenVINO"]),
        (hardware("arm64", "edge_tpu"), "LiteRT", ["ONNXRuntime", "OpenVINO"]),
        (hardware("amd64", "npu"), "OpenVINO", ["OpenVINO", "ONNXRuntime"]),
        (hardware("arm64"), "ONNXRuntime", ["ONNXRuntime", "OpenVINO"]),
        (hardware("arm"), "ONNXRuntime", ["ONNXRuntime", "OpenVINO"]),
    ],
)
def test_the_ranking_follows_what_the_engines_bring(
    device: Device, first: str, built: list[str]
) -> None:
    ranks = ranked(ASSESSMENT, device, BOTH)
    assert ranks[0].engine == first
    assert [rank.engine for rank in ranks if rank.installed] == built


def test_each_engine_says_why_it_stands_where_it_does_or_is_not_installed() -> None:
    ranks = ranked(ASSESSMENT, hardware(), settings("ONNXRuntime"))
    reasons = {rank.engine: rank.reason for rank in ranks}
    assert "choice 1 for x86 CPUs" in reasons["OpenVINO"]
    assert "not installed: the operator's configuration" in reasons["OpenVINO"]
    assert "ONNX, opset 17" in reasons["ONNXRuntime"]


def test_an_engine_without_a_rank_comes_last() -> None:
    ranks = ranked(ASSESSMENT, hardware(), settings("Homemade") | BOTH)
    assert ranks[-1].engine == "Homemade"
    assert ranks[-1].installed
    assert "not ranked for x86 CPUs" in ranks[-1].reason


def test_a_status_takes_the_ranks_of_as_many_engines_as_an_installation_may_have() -> None:
    names = [f"Engine{letter}" for letter in "ABCDEFGH"]
    engines = {name: s.model_dump() for name, s in settings(*names).items()}
    config = OperatorConfig.model_validate({"registry": {"address": "reg"}, "engines": engines})
    for architecture, feature in (("amd64", ""), ("arm64", "apple"), ("amd64", "nvidia")):
        device = hardware(architecture, *([feature] if feature else []))
        ranks = rank_engines(ASSESSMENT, device, config.engines, PLUGINS)
        status = TargetStatus(hardware_class_name="x86", engines=ranks)
        assert {rank.engine for rank in status.engines} >= set(names)
    more = engines | {"OneMore": engines["EngineA"]}
    with pytest.raises(ValidationError, match="at most 8"):
        OperatorConfig.model_validate({"registry": {"address": "reg"}, "engines": more})


def test_an_engine_whose_images_do_not_run_on_the_class_is_none() -> None:
    engines = settings("OpenVINO", architectures=("amd64",))
    (rank,) = [r for r in ranked(ASSESSMENT, hardware("arm"), engines) if r.engine in engines]
    assert not rank.installed
    assert "images are for amd64 only" in rank.reason


def test_an_edge_tpu_gets_a_plain_answer_about_openvino() -> None:
    ranks = ranked(ASSESSMENT, hardware("arm64", "edgetpu"), settings("ONNXRuntime"))
    assert "has no plug-in" in ranks[1].reason


@pytest.mark.parametrize("engine", installed_engines().values(), ids=lambda one: one.name)
@pytest.mark.parametrize("family", list(Family))
def test_recipes_are_capped_and_begin_with_the_source(engine: EnginePlugin, family: Family) -> None:
    assert engine.recipes_for(family, 1) == ("source",)
    assert len(engine.recipes_for(family, 3)) == 3
    made = {recipe.name for recipe in engine.recipes}
    assert set(engine.recipes_for(family, 32)) == {"source", *made}
    assert engine.recipes_for("a family of another release", 3) == engine.recipes_for("Other", 3)


@pytest.mark.parametrize(
    ("operators", "family"),
    [
        ({"MatMul": 48, "Softmax": 6, "Transpose": 24, "Gather": 1}, Family.TRANSFORMER),
        ({"MatMul": 72, "Softmax": 12, "Transpose": 48, "Conv": 1}, Family.TRANSFORMER),
        ({"GroupQueryAttention": 4, "MatMul": 20}, Family.TRANSFORMER),
        ({"Conv": 53, "Relu": 49, "Gemm": 1, "Softmax": 1}, Family.CONVOLUTIONAL),
        ({"Conv": 2, "MatMul": 2, "Softmax": 1}, Family.CONVOLUTIONAL),
        ({"MatMul": 5, "Relu": 4, "Softmax": 1}, Family.OTHER),
        ({"TreeEnsembleClassifier": 1}, Family.OTHER),
        ({}, Family.OTHER),
    ],
)
def test_the_family_follows_from_the_operators(operators: dict[str, int], family: Family) -> None:
    assert family_of(operators) is family


def test_the_share_that_quantization_can_shrink() -> None:
    assert quantizable_share({"MatMul": 75, "Add": 25}) == 0.75
    assert quantizable_share({}) == 0
