"""Int8 as in `post_training`, but what costs most quality goes back to float until little is lost.

NNCF compares answers on the calibration samples, ranks the quantized operators by what they spoil,
and undoes the worst, one after the other. Labels are not looked at: the measure is how much of the
variation of the float answers the quantized ones still reproduce, which every task has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nncf
import numpy as np
import openvino as ov

from skerry.engines import NotSupported
from skerry_openvino.arithmetic import HINT, Arithmetic
from skerry_openvino.building import read, save
from skerry_openvino.recipes.post_training import model_type, require_quantized
from skerry_openvino.running import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from skerry.engines import Ingredients

MOST_DROP = 0.002
"""Share of the variation that may be lost."""

NOTHING_LEFT = (
    f"int8 of any operator costs more than {MOST_DROP:.1%} of the variation: nothing stays in int8"
)

RANKING_SAMPLES = 32
MOST_STEPS = 12
"""Each step runs all samples twice; what twelve operators in float don't mend, more don't."""


def build_accurate_int8(ingredients: Ingredients) -> None:
    """Write the candidate.

    Raises:
        NotSupported: Everything went back to float, or answers differ in size and can't be compared.
    """
    model = read(ingredients.source)
    samples = nncf.Dataset(ingredients.calibration)
    quantized = nncf.quantize_with_accuracy_control(
        model,
        calibration_dataset=samples,
        validation_dataset=samples,
        validation_fn=_fidelity_to(_answers_of(model, ingredients.calibration)),
        max_drop=MOST_DROP,
        drop_type=nncf.DropType.ABSOLUTE,
        subset_size=len(ingredients.calibration),
        model_type=model_type(model),
        target_device=nncf.TargetDevice.CPU,
        # What goes back to float gets the source's weights again, which smoothing has scaled: with
        # both, MiniLM fell from 0.995 to 0.68 with the first operator undone.
        advanced_quantization_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(convolution=-1, matmul=-1)
        ),
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
            max_num_iterations=MOST_STEPS,
            ranking_subset_size=min(RANKING_SAMPLES, len(ingredients.calibration)),
            num_ranking_workers=1,
        ),
    )
    require_quantized(quantized, NOTHING_LEFT)
    save(quantized, ingredients.target, Arithmetic.FLOAT32)


def _fidelity_to(reference: NDArray[Any]) -> Callable[[Any, Iterable[Any]], Any]:
    """Return what NNCF validates with: the fidelity of a model's answers, and the answers."""

    def validate(compiled: Any, samples: Iterable[Any]) -> tuple[float, list[list[NDArray[Any]]]]:
        request = compiled.create_infer_request()
        answers = [_numbers(run(request, sample)) for sample in samples]
        # NNCF asks for all samples, in order, or for the first one alone.
        return fidelity(reference[: len(answers)], _rows(answers)), answers

    return validate


def _answers_of(model: ov.Model, samples: Iterable[Mapping[str, NDArray[Any]]]) -> NDArray[Any]:
    """Return the float model's answers, a row for each sample."""
    compiled = ov.Core().compile_model(model, "CPU", {HINT: Arithmetic.FLOAT32.value})
    request = compiled.create_infer_request()
    return _rows([_numbers(run(request, sample)) for sample in samples])


def _numbers(outputs: Any) -> list[NDArray[Any]]:
    """Return each output, as NNCF compares them; NaN and infinities, which have no distance, as zero."""
    arrays = (np.array(array, np.float64) for array in outputs.values())
    return [np.nan_to_num(array, copy=False, posinf=0.0, neginf=0.0) for array in arrays]


def _rows(answers: list[list[NDArray[Any]]]) -> NDArray[Any]:
    """Return answers as rows, all outputs one after the other.

    Raises:
        NotSupported: They are not of the same size.
    """
    rows = [np.concatenate([array.ravel() for array in outputs]) for outputs in answers]
    if len({len(row) for row in rows}) > 1:
        raise NotSupported(
            "the size of an output depends on the sample, so there is no distance to the float answers"
        )
    return np.stack(rows)


def fidelity(reference: NDArray[Any], answers: NDArray[Any]) -> float:
    """Return the share of the reference's variation that answers reproduce: 1 when they are equal.

    This is the coefficient of determination, over all samples and elements.
    """
    spread = float(np.square(reference - reference.mean(axis=0)).sum())
    lost = float(np.square(answers - reference).sum())
    return 1 - lost / spread if spread else float(lost == 0)
