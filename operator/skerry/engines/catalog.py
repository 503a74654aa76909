"""Engines that Skerry knows of and does not bring, so that users see what would suit a class better.

Values only: nothing depends on an engine of this list being there. One that is installed as a plug-in
ranks itself, and its entry here counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from skerry.engines.ranking import Hardware, Rank, rank_among


@dataclass(frozen=True)
class KnownEngine:
    """An engine that may be installed one day.

    Attributes:
        name: As its plug-in would be called.
        ranks: As its plug-in would rank itself.
    """

    name: str
    ranks: tuple[Rank, ...]

    def rank(self, hardware: Hardware, family: str) -> Rank | None:
        """Return where it would stand; None where it would not suit."""
        return rank_among(self.ranks, hardware, family)


CATALOG = (
    KnownEngine(
        "Olive",
        (
            Rank(Hardware.X86, 2, "tunes ONNX Runtime"),
            Rank(Hardware.NVIDIA, 1, "ONNX Runtime with CUDA, int4 and float16"),
            Rank(Hardware.NPU, 2, "tunes ONNX Runtime"),
        ),
    ),
    KnownEngine("MLX", (Rank(Hardware.APPLE, 1, "int4, groups of 64"),)),
    KnownEngine(
        "LlamaCPP",
        (
            Rank(Hardware.APPLE, 2, "language models"),
            Rank(Hardware.ARM, 2, "for language models"),
        ),
    ),
    KnownEngine("LiteRT", (Rank(Hardware.EDGE_TPU, 1, "the only engine that runs on it"),)),
)
