"""The ranking of engines and recipes, and what a model is told to be: tables."""

from __future__ import annotations

import pytest

from skerry.api.edgemodel import Assessment
from skerry.api.hardwareclass import HardwareClassSpec
from skerry.decide.assess import Family, family_of, quantizable_share
from skerry.decide.select import RECIPES, rank_engines, recipes_for
from skerry_optimizer.recipes import RECIPES as MAKERS

ASSESSMENT = Assessment(
    source_digest="sha256:" + "0" * 64, format="ONNX, opset 17", bytes=1, parameters=1
)


def hardware(architecture: str = "amd64", *features: str) -> HardwareClassSpec:
    return HardwareClassSpec(node_selector={"a": "b"}, architecture=architecture, features=features)


@pytest.mark.parametrize(
    ("spec", "first", "built"),
    [
        (hardware("amd64", "avx512_vnni"), "OpenVINO + NNCF", "OnnxRuntime"),
        (hardware("amd64", "nvidia_l4"), "Olive (ONNX Runtime)", "OnnxRuntime"),
        (hardware("arm64", "apple_m4"), "MLX", "OnnxRuntime"),
        (hardware("arm64", "edge_tpu"), "LiteRT", "OnnxRuntime"),
        (hardware("amd64", "npu"), "OpenVINO + NNCF", "OnnxRuntime"),
        (hardware("arm64"), "OnnxRuntime", "OnnxRuntime"),
        (hardware("arm"), "OnnxRuntime", "OnnxRuntime"),
    ],
)
def test_the_ranking_follows_the_decision_matrix(
    spec: HardwareClassSpec, first: str, built: str
) -> None:
    ranks = rank_engines(ASSESSMENT, spec, {"OnnxRuntime"})
    assert ranks[0].engine == first
    assert [rank.engine for rank in ranks if rank.installed] == [built]


def test_each_engine_that_is_not_taken_says_why() -> None:
    ranks = rank_engines(ASSESSMENT, hardware(), {"OnnxRuntime"})
    reasons = {rank.engine: rank.reason for rank in ranks}
    assert "does not build with it yet" in reasons["OpenVINO + NNCF"]
    assert "ONNX, opset 17" in reasons["OnnxRuntime"]


def test_an_engine_that_is_not_configured_says_where_to_add_it() -> None:
    (rank,) = [
        rank for rank in rank_engines(ASSESSMENT, hardware(), ()) if rank.engine == "OnnxRuntime"
    ]
    assert not rank.installed
    assert "operator's configuration" in rank.reason


def test_an_edge_tpu_is_told_plainly_about_openvino() -> None:
    ranks = rank_engines(ASSESSMENT, hardware("arm64", "edgetpu"), {"OnnxRuntime"})
    assert "has no plug-in" in ranks[1].reason


@pytest.mark.parametrize("family", list(Family))
def test_recipes_are_capped_and_begin_with_the_source(family: Family) -> None:
    assert recipes_for(family, 1) == ("source",)
    assert len(recipes_for(family, 3)) == 3
    assert set(recipes_for(family, 32)) == {"source", *MAKERS}


def test_the_first_recipe_suits_the_family() -> None:
    assert recipes_for(Family.TRANSFORMER, 2)[1] == "weight-int8-block128"
    assert recipes_for(Family.CONVOLUTIONAL, 2)[1] == "static-int8"
    assert recipes_for("a family of another release", 2) == RECIPES[Family.OTHER][:2]


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
def test_the_family_is_told_by_the_operators(operators: dict[str, int], family: Family) -> None:
    assert family_of(operators) is family


def test_the_share_that_quantisation_can_shrink() -> None:
    assert quantizable_share({"MatMul": 75, "Add": 25}) == 0.75
    assert quantizable_share({}) == 0
