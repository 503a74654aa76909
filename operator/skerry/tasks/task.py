"""What a task is made of: values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Format:
    """The format of a source or a data set.

    Attributes:
        main: The file that jobs look for, at the root of the folder or image.
        suffix: By which the main file is known under another name.
        words: For people.
    """

    main: str
    suffix: str
    words: str


@dataclass(frozen=True)
class MetricRules:
    """What a metric of quality asks of data and answers.

    Attributes:
        least_samples: In each of the parts that choose and certify.
        labels: What the labels are, for people; empty where none are needed.
        vectors: Answers are compared by their direction: builds have to keep the cosine, and golden
            samples are compared by it.
    """

    least_samples: int
    labels: str = ""
    vectors: bool = False


class Form(Enum):
    """What a figure is, and so how it is shown to people."""

    RATIO = "ratio to the baseline"
    TIMES = "as many times as fast as the baseline"
    SHARE = "share of the baseline saved"
    ABSOLUTE = "as it is"
    BYTES = "bytes"


@dataclass(frozen=True)
class Figure:
    """A figure of a build that a gate compares with a threshold."""

    label: str
    form: Form
    more_is_better: bool = True


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        name: CamelCase.
        source: What a model comes as.
        dataset: What the data set comes as.
        golden_file: The certified samples and answers, in the artifact.
        metrics: Of quality, by their names in `spec.evaluation.metric`.
        gates: What each gate compares, by its name in a variant's status.
    """

    name: str
    source: Format
    dataset: Format
    golden_file: str
    metrics: Mapping[str, MetricRules]
    gates: Mapping[str, Figure]
