"""Ranks that engines bring: by hardware and by family of model."""

from __future__ import annotations

import pytest

from skerry.engines import Family, Hardware, Rank
from skerry.engines.ranking import hardware_of, rank_among

FOR_ALL = Rank(Hardware.X86, 3, "anything")
FOR_TRANSFORMERS = Rank(Hardware.X86, 1, "attention", frozenset({Family.TRANSFORMER}))


@pytest.mark.parametrize(
    ("architecture", "features", "hardware"),
    [
        ("amd64", ("avx512_vnni",), Hardware.X86),
        ("amd64", ("avx2", "nvidia_l4"), Hardware.NVIDIA),
        ("arm64", ("edge_tpu",), Hardware.EDGE_TPU),
        ("arm64", ("apple_m4",), Hardware.APPLE),
        ("arm", (), Hardware.ARM),
        ("riscv64", (), Hardware.OTHER),
    ],
)
def test_a_device_is_ranked_as_its_accelerator_else_as_its_cpu(
    architecture: str, features: tuple[str, ...], hardware: Hardware
) -> None:
    assert hardware_of(architecture, features) is hardware


@pytest.mark.parametrize(
    ("hardware", "family", "expected"),
    [
        (Hardware.X86, "Transformer", FOR_TRANSFORMERS),
        (Hardware.X86, "Convolutional", FOR_ALL),
        (Hardware.X86, "", FOR_ALL),
        (Hardware.ARM, "Transformer", None),
    ],
)
def test_the_best_rank_that_fits_counts(
    hardware: Hardware, family: str, expected: Rank | None
) -> None:
    assert rank_among((FOR_ALL, FOR_TRANSFORMERS), hardware, family) == expected
