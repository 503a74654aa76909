"""Golden samples of models whose answers are no plain rows of numbers: scalars, text, other shapes for each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from skerry.engines import TensorSpec
from skerry_runtime.artifact import read_artifact, read_golden
from skerry_runtime.datatypes import storable, usable
from skerry_runtime.golden import replay_set
from skerry_runtime.measure.goldens import _shapes, joined, tolerance_of
from skerry_runtime.measure.process import WorkerError
from tests.unit.runtime.conftest import encoder_model, write_artifact

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = (TensorSpec("city", "BYTES", (-1, 1)),)
OUTPUTS = (
    TensorSpec("scores", "FP32", (-1, 2)),
    TensorSpec("scale", "FP32", ()),
    TensorSpec("name", "BYTES", (-1,)),
)
CITIES = np.array([["Zürich"], ["Łódź"], ["東京"]], dtype=np.object_)


def answer(row: int) -> dict[str, np.ndarray]:
    return {
        "scores": np.array([[row, row + 0.5]], np.float32),
        "scale": np.array(100.0, np.float32),
        "name": np.array([CITIES[row, 0]], np.object_),
    }


def test_scalars_and_text_come_back_as_the_server_gives_them(tmp_path: Path) -> None:
    folder = write_artifact(tmp_path, encoder_model())
    golden = {
        f"output.{name}": array for name, array in joined([answer(0), answer(1), answer(2)]).items()
    }
    np.savez(folder / "golden.npz", **{"input.city": storable(CITIES)}, **golden)  # type: ignore[arg-type]
    assert read_golden(folder)[0]["city"].shape == (3, 1)
    found = json.loads(json.dumps(replay_set(read_artifact(folder), INPUTS, OUTPUTS)))
    sample = found["samples"][1]
    (city,) = sample["request"]["inputs"]
    assert (city["shape"], city["data"]) == ([1, 1], ["Łódź"])
    outputs = {one["name"]: (one["shape"], one["data"]) for one in sample["outputs"]}
    assert outputs == {
        "scores": ([1, 2], [1.0, 1.5]),
        "scale": ([], [100.0]),
        "name": ([1], ["Łódź"]),
    }


def test_text_survives_the_files_between_stages(tmp_path: Path) -> None:
    np.save(tmp_path / "city.npy", storable(CITIES))
    mapped = np.load(tmp_path / "city.npy", mmap_mode="r")
    again = usable(np.array(mapped[:2]))
    assert again.dtype == np.object_
    assert again.tolist() == CITIES[:2].tolist()


def test_answers_of_other_sizes_come_back_as_they_were(tmp_path: Path) -> None:
    boxes = [np.full((count, 4), count, np.float32) for count in (1, 3, 0)]
    names = [np.array(["a"] * count, np.object_) for count in (1, 3, 0)]
    answers: list[dict[str, np.ndarray]] = [
        {"boxes": box, "scale": np.array(1, np.int64), "names": name}
        for box, name in zip(boxes, names, strict=True)
    ]
    folder = write_artifact(tmp_path, encoder_model())
    arrays = {f"output.{name}": array for name, array in joined(answers).items()}
    arrays |= {f"shape.{name}": sizes for name, sizes in _shapes(answers).items()}
    np.savez(folder / "golden.npz", **{"input.city": storable(CITIES)}, **arrays)  # type: ignore[arg-type]
    kinds = (("boxes", "FP32", (-1, 4)), ("scale", "INT64", ()), ("names", "BYTES", (-1,)))
    specs = [TensorSpec(*kind) for kind in kinds]
    found = json.loads(json.dumps(replay_set(read_artifact(folder), INPUTS, specs)))
    for row, sample in enumerate(found["samples"]):
        outputs = {one["name"]: (one["shape"], one["data"]) for one in sample["outputs"]}
        assert outputs["boxes"] == ([len(boxes[row]), 4], boxes[row].ravel().tolist())
        assert outputs["scale"] == ([], [1])
        assert outputs["names"] == ([len(names[row])], names[row].tolist())


def test_an_output_that_changes_its_axes_is_named() -> None:
    answers = [{"boxes": np.zeros((1,) * count, np.float32)} for count in (1, 3)]
    with pytest.raises(WorkerError, match="the output `boxes` has more axes for some samples"):
        joined(answers)


def test_another_count_of_numbers_is_another_answer() -> None:
    one, other = (
        joined([{"boxes": np.zeros((count, 4), np.float32)} for count in counts])
        for counts in ((2, 3), (1, 3))
    )
    with pytest.raises(WorkerError, match="NaN or an infinity"):
        tolerance_of(one, [other], with_cosine=False)
