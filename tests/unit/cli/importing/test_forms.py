"""Models whose inputs are no rows of samples, and answers that are no numbers, are imported and compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from skerry.cli.errors import CliError
from skerry.cli.importing import assessing, onnx_file
from skerry.cli.importing.contract import Imported, Original
from skerry.cli.importing.fitting import fitted
from skerry.cli.importing.samples import Samples
from skerry.engines import TensorSpec
from skerry_runtime.engine import load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from skerry.engines import LoadedModel

SAMPLES, HIDDEN = 600, 4
STATES = f"""<ir_version: 8, opset_import: ["" : 18]>
states (float[batch, {HIDDEN}] x, float[2, batch, {HIDDEN}] h0, float scale)
  => (float[batch, {HIDDEN}] y, float[2, batch, {HIDDEN}] hn) {{
    axes = Constant <value_ints = [0]> ()
    sum = ReduceSum <keepdims = 0> (h0, axes)
    state = Mul (sum, scale)
    y = Add (x, state)
    hn = Mul (h0, scale)
}}"""


def stateful() -> dict[str, Any]:
    """Return samples of a row, a whole state and a scalar, in float64 as numpy makes them."""
    random = np.random.default_rng(5)
    return {
        "x": random.normal(size=(SAMPLES, HIDDEN)),
        "h0": random.normal(size=(SAMPLES, 2, 1, HIDDEN)),
        "scale": random.uniform(1, 2, size=SAMPLES),
    }


def opened(text: str, folder: Path) -> tuple[LoadedModel, ReferenceEvaluator]:
    """Return a model in the engine, and in the evaluator that ONNX itself has."""
    model = parser.parse_model(text)
    onnx.save(model, folder / "model.onnx")
    return load_model("ONNXRuntime", folder / "model.onnx", threads=1), ReferenceEvaluator(model)


def test_states_and_scalars_are_given_whole(run_import: Callable[..., str], tmp_path: Path) -> None:
    onnx.save(parser.parse_model(STATES), tmp_path / "states.onnx")
    arrays = stateful()
    labels = (arrays["x"] + arrays["h0"].sum(axis=(1, 2)) * arrays["scale"][:, None]).argmax(axis=1)
    np.savez(tmp_path / "states.npz", labels=labels, **arrays)
    said = run_import("states.onnx", "--data", "states.npz")
    assert "h0 is given whole with each sample" in said
    with np.load(tmp_path / "states" / "dataset" / "dataset.npz") as archive:
        assert archive["h0"].shape == (SAMPLES, 2, 1, HIDDEN)
        assert archive["scale"].shape == (SAMPLES,)


def test_the_original_is_given_whole_inputs_too(tmp_path: Path) -> None:
    loaded, reference = opened(STATES, tmp_path)
    data = fitted(loaded.inputs, Samples("states.npz", stateful()))
    asked: list[dict[str, tuple[int, ...]]] = []

    def answer(arrays: Any) -> NDArray[Any]:
        asked.append({name: array.shape for name, array in arrays.items()})
        return np.asarray(next(iter(reference.run(["y"], dict(arrays)))))

    said = assessing.compare(loaded, data, Original("ONNX", "y", answer), tmp_path)
    assert said.startswith("100.0% of 128 samples as ONNX does")
    assert asked == [{"x": (1, HIDDEN), "h0": (2, 1, HIDDEN), "scale": ()}] * 128


def test_a_state_given_by_rows_is_refused_with_the_form_that_works(
    run_import: Callable[..., str], tmp_path: Path
) -> None:
    onnx.save(parser.parse_model(STATES), tmp_path / "states.onnx")
    arrays = stateful()
    np.savez(tmp_path / "rows.npz", **(arrays | {"h0": arrays["h0"][:, 0]}))
    said = run_import("states.onnx", "--data", "rows.npz", ends=1)
    assert f"give each sample a whole input, such as [samples, 2, 1, {HIDDEN}]" in said


@pytest.mark.parametrize(
    ("form", "given", "wanted"),
    [
        ((-1, 3, 2), (9, 6), (9, 3, 2)),
        ((1, 3, 2), (9, 3, 2), (9, 3, 2)),
        ((4, 3, 2), (9, 4, 3, 2), (9, 4, 3, 2)),
        ((4, 3, 2), (9, 24), (9, 4, 3, 2)),
        ((), (9, 1), (9,)),
        ((-1,), (9, 1), (9,)),
        ((5,), (9, 5), (9, 5)),
        ((4, 3, 2), (9, 3, 2), None),
        ((2, -1, 6), (2, 1, 6), None),
    ],
)
def test_samples_are_laid_out_as_the_input_is(
    form: tuple[int, ...], given: tuple[int, ...], wanted: tuple[int, ...] | None
) -> None:
    info, samples = TensorSpec("x", "FP32", form), Samples("x.npz", {"x": np.zeros(given)})
    if wanted:
        assert fitted([info], samples).arrays["x"].shape == wanted
        return
    with pytest.raises(CliError, match="give each sample a whole input"):
        fitted([info], samples)


@pytest.mark.parametrize("rows", ["rows", "1"], ids=["open batch", "fixed batch"])
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("int64[{rows}, 8] ids) {{ ids = Cast <to = 7> (x) }}", "NearestNeighbors: there are no labels"),
        ("int64[{rows}] group) {{ group = ArgMax <axis = 1, keepdims = 0> (x) }}",
         "Accuracy: the model names one of 8 classes"),
    ],
)  # fmt: skip
def test_groups_of_the_original_are_labels_and_rows_of_ids_are_not(
    answer: str, says: str, rows: str, *, run_import: Callable[..., str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    text = '<ir_version: 8, opset_import: ["" : 17]> ids (float[{rows}, 8] x) => (' + answer
    original, _ = opened(text.format(rows=rows), tmp_path)
    name = original.outputs[0].name

    def convert(path: Path, samples: Samples | None) -> Imported:
        """Import it as a library's importer does, which can ask the original and knows no classes."""
        asked = Original("Engine", name, lambda arrays: np.asarray(original.run([name], arrays)[0]))
        return replace(onnx_file.convert(path, samples), original=asked)

    monkeypatch.setattr("skerry.cli.importing.pytorch.convert", convert)
    (tmp_path / "model.onnx").rename(tmp_path / "ids.pt2")
    np.save(tmp_path / "x.npy", 9 * np.random.default_rng(3).normal(size=(1200, 8)).astype("f4"))
    said = run_import("ids.pt2", "--data", "x.npy")
    assert says in said
    assert ("the groups that Engine itself answers" in said) is (name == "group")


def everywhere(change: float) -> NDArray[Any]:
    """Return what is added to all answers but the first row's."""
    added = np.full((128, 2), change)
    added[0] = 0
    return added


@pytest.mark.parametrize(
    ("first", "other", "added", "says"),
    [
        (np.nan, np.nan, 0.0, "100.0% of 128 samples"),
        (np.nan, 1.0, 0.0, "99.2% of 128 samples"),
        (np.inf, np.inf, 0.0, "100.0% of 128 samples"),
        (np.inf, -np.inf, 0.0, "99.2% of 128 samples"),
        (np.inf, np.nan, 0.0, "99.2% of 128 samples"),
        (np.inf, 1e30, 0.0, "99.2% of 128 samples"),
        (np.inf, np.inf, 0.5, "answers 99% of 128 samples otherwise"),
        (np.nan, np.nan, 0.5, "answers 99% of 128 samples otherwise"),
        (1e6, 1e6, 0.5, "answers 99% of 128 samples otherwise"),
        (1e6, 1e6, 1e-4, "100.0% of 128 samples"),
    ],
)
def test_each_row_is_compared_by_its_own_numbers(
    first: float, other: float, added: float, says: str, tmp_path: Path
) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> same (float[n, 2] x) => (float[n, 2] y) { y = Identity (x) }'
    loaded, _ = opened(text, tmp_path)
    answers = np.random.default_rng(7).uniform(1, 2, size=(128, 2)).astype("f4")
    wanted = answers + everywhere(added)
    answers[0, 1], wanted[0, 1] = first, other
    data = fitted(loaded.inputs, Samples("x.npz", {"x": answers}))
    try:
        said = assessing.compare(loaded, data, Original("it", "y", lambda _: wanted), tmp_path)
    except CliError as error:
        said = error.what
    assert says in said
