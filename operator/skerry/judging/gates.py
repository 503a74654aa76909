"""The one function that decides what a measured recipe result may claim: used by job, operator and CLI.

A gate compares a recipe result's interval with a threshold. It passes when the whole interval meets the
threshold, fails when the whole interval misses it, and is Marginal in between: then the job measures
more, up to a cap. A gate is required, or it is a goal: a missed goal is reported and stops nothing.

Two equal builds never measure as exactly equal, so "not slower, not hungrier" can't mean a lower
bound of at least 1: it is a test of non-inferiority with a margin of 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.edgemodel import GateProfile, Gates
from skerry.api.modelvariant import GateOutcome, GateResult, Interval, RecipeOutcome, RecipeResult
from skerry.api.units import parse_bytes, say_bytes
from skerry.tasks.task import Form
from skerry.tasks.tensor_inference import (
    COSINE,
    MEMORY,
    MOVEMENT,
    QUALITY,
    SIZE,
    SPEEDUP,
    TENSOR_INFERENCE,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from skerry.tasks.task import Figure

AIM_SPEEDUP = "2.0"
AIM_MEMORY_REDUCTION = "0.5"
NOT_SLOWER = "0.95"
NOT_HUNGRIER = "-0.05"
LEAST_COSINE = "0.99"  # facts: cosine alone misses lost neighbors, neighbors alone miss scale


@dataclass(frozen=True)
class Gate:
    """One threshold for the figure that the name says."""

    name: str
    threshold: str
    required: bool = True

    @property
    def figure(self) -> Figure:
        """What is compared with the threshold."""
        return TENSOR_INFERENCE.gates[self.name]


def _size(recipe_result: RecipeResult) -> Interval:
    text = str(recipe_result.bytes)
    return Interval(value=text, low=text, high=text)


_READ: Mapping[Figure, Callable[[RecipeResult], Interval | None]] = {
    QUALITY: lambda recipe_result: recipe_result.quality,
    COSINE: lambda recipe_result: recipe_result.cosine,
    MOVEMENT: lambda recipe_result: recipe_result.movement,
    SPEEDUP: lambda recipe_result: recipe_result.speedup,
    MEMORY: lambda recipe_result: recipe_result.memory_reduction,
    SIZE: _size,
}


def evaluate(recipe_result: RecipeResult, gates: Gates) -> tuple[GateResult, ...]:
    """Return the result of every gate for one recipe result, required ones and aims.

    A recipe result that was not measured has no results, and so passes nothing (`passes`).
    """
    if recipe_result.outcome is not RecipeOutcome.MEASURED:
        return ()
    return tuple(_judge(gate, recipe_result) for gate in _gates(recipe_result, gates))


def passes(results: Iterable[GateResult], *, allow_marginal: bool) -> bool:
    """Return whether every required gate holds. Without results nothing was proven: False."""
    required = [result for result in results if result.required]
    return bool(required) and all(
        holds(result, allow_marginal=allow_marginal) for result in required
    )


def holds(result: GateResult, *, allow_marginal: bool) -> bool:
    """Return whether one gate lets its recipe result through."""
    marginal = result.outcome is GateOutcome.MARGINAL and allow_marginal
    # What was never measured is not marginal but unknown.
    return result.outcome is GateOutcome.PASS or (marginal and result.observed is not None)


def undecided(results: Iterable[GateResult]) -> tuple[str, ...]:
    """Return the required gates that more measuring could still decide.

    Empty once any required gate has failed: nothing that is measured further can save the recipe result.
    """
    required = [result for result in results if result.required]
    if failing(required):
        return ()
    return tuple(result.name for result in required if result.outcome is GateOutcome.MARGINAL)


def measured(results: Iterable[GateResult]) -> tuple[GateResult, ...]:
    """Return the results of what is known so far, while a recipe result is not measured to the end."""
    return tuple(result for result in results if result.observed is not None)


def failing(results: Iterable[GateResult]) -> bool:
    """Return whether a required gate has failed, which no further measuring changes."""
    return any(result.required and result.outcome is GateOutcome.FAIL for result in results)


def shortfalls(results: Iterable[GateResult], *, allow_marginal: bool) -> tuple[str, ...]:
    """Return a phrase for each required gate that does not hold."""
    return tuple(
        result.message
        for result in results
        if result.required and not holds(result, allow_marginal=allow_marginal)
    )


def with_message(result: GateResult) -> GateResult:
    """Return the result with its whole message, which a job's summary cuts for want of bytes."""
    figure, observed = TENSOR_INFERENCE.gates[result.name], result.observed
    bound = "required" if figure.more_is_better else "allowed"
    wanted = f"{bound if result.required else 'goal of'} {_said(figure, result.threshold)}"
    if observed is None:
        message = f"{figure.label} was not measured ({wanted})"
    else:
        verb = _VERBS[result.outcome, figure.more_is_better]
        message = f"{figure.label} {_span(figure, observed)} {verb} the {wanted}"
    return result.model_copy(update={"message": message})


def _gates(recipe_result: RecipeResult, gates: Gates) -> Iterator[Gate]:
    yield Gate("quality", gates.quality)
    if recipe_result.cosine is not None:
        yield Gate("cosine", LEAST_COSINE)
    if recipe_result.movement is not None:
        yield Gate("movement", gates.movement)
    speedup = gates.speedup.removesuffix("x") if gates.speedup else None
    yield from _aimed("speedup", speedup, (NOT_SLOWER, AIM_SPEEDUP), gates.profile)
    memory = (NOT_HUNGRIER, AIM_MEMORY_REDUCTION)
    yield from _aimed("memoryReduction", gates.memory_reduction, memory, gates.profile)
    if gates.artifact_size is not None:
        yield Gate("artifactSize", str(parse_bytes(gates.artifact_size)))


def _aimed(
    name: str, written: str | None, defaults: tuple[str, str], profile: GateProfile
) -> Iterator[Gate]:
    """Yield the user's own threshold, or the profile's: the aim, required if Strict."""
    not_worse, aim = defaults
    if written is not None:
        yield Gate(name, written)
    elif profile is GateProfile.STRICT:
        yield Gate(name, aim)
    else:
        yield Gate(name, not_worse)
        yield Gate(f"{name}Aim", aim, required=False)


def _judge(gate: Gate, recipe_result: RecipeResult) -> GateResult:
    observed = _READ[gate.figure](recipe_result)
    outcome = GateOutcome.FAIL if observed is None else _compare(gate, observed)
    return with_message(
        GateResult(
            name=gate.name,
            required=gate.required,
            threshold=gate.threshold,
            outcome=outcome,
            observed=observed,
        )
    )


def _compare(gate: Gate, observed: Interval) -> GateOutcome:
    sign = 1 if gate.figure.more_is_better else -1
    threshold = sign * float(gate.threshold)
    worst, best = sorted((sign * float(observed.low), sign * float(observed.high)))
    if worst >= threshold:
        return GateOutcome.PASS
    return GateOutcome.FAIL if best < threshold else GateOutcome.MARGINAL


# By the outcome, and by whether more is better.
_VERBS = {
    (GateOutcome.PASS, True): "meets",
    (GateOutcome.PASS, False): "is within",
    (GateOutcome.FAIL, True): "is below",
    (GateOutcome.FAIL, False): "exceeds",
    (GateOutcome.MARGINAL, True): "is inconclusive against",
    (GateOutcome.MARGINAL, False): "is inconclusive against",
}


def _span(figure: Figure, observed: Interval) -> str:
    value = _said(figure, observed.value)
    if observed.low == observed.high:
        return value
    return f"{value} ({_said(figure, observed.low)} to {_said(figure, observed.high)})"


def _said(figure: Figure, text: str) -> str:
    number = float(text)
    if figure.form is Form.BYTES:
        return say_bytes(number)
    if figure.form is Form.SHARE:
        return f"{number * 100:.0f} %"
    return f"{number:.2f}x" if figure.form is Form.TIMES else f"{number:.3f}"
