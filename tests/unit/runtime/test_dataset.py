"""The data set's splits: disjoint, deterministic, and refused for people when too few."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from skerry.jobs.files import TensorInfo
from skerry.tasks import TENSOR_INFERENCE, Metric
from skerry_runtime.dataset import (
    DatasetError,
    Split,
    SplitSizes,
    load_dataset,
    split_dataset,
    split_indices,
)

Array = NDArray[Any]
DIGEST = "sha256:" + "ab" * 32
IDS = TensorInfo(name="ids", datatype="INT64", shape=(-1, 4))
SIZES = SplitSizes(golden=2, calibration=5, least_evaluation=10)


def save(path: Path, **arrays: Array) -> Path:
    file = path / "dataset.npz"
    np.savez(file, allow_pickle=True, **arrays)
    return file


@given(
    st.integers(0, 300), st.integers(1, 20), st.integers(1, 60), st.integers(1, 40), st.text("0af")
)
def test_splits_cover_all_samples_once(
    more: int, golden: int, calibration: int, least: int, digest: str
) -> None:
    sizes = SplitSizes(golden, calibration, least)
    samples = golden + calibration + 2 * least + more
    splits = split_indices(samples, digest, sizes)
    joined = np.concatenate(list(splits.values()))
    assert sorted(joined) == list(range(samples))
    assert len(splits[Split.GOLDEN]) == golden
    assert len(splits[Split.CALIBRATION]) == calibration
    halves = len(splits[Split.CHOICE]), len(splits[Split.CERTIFICATION])
    assert min(halves) >= least
    assert abs(halves[0] - halves[1]) <= 1


def test_split_depends_on_the_digest_only() -> None:
    first = split_indices(100, DIGEST, SIZES)
    again = split_indices(100, DIGEST, SIZES)
    other = split_indices(100, "sha256:" + "cd" * 32, SIZES)
    assert all((first[split] == again[split]).all() for split in Split)
    assert (first[Split.CHOICE] != other[Split.CHOICE]).any()


def test_split_is_the_same_for_ever() -> None:
    """Two images with different numpy must agree: this order is part of the contract."""
    assert split_indices(27, DIGEST, SIZES)[Split.GOLDEN].tolist() == [2, 11]


def test_too_few_samples_says_what_to_do() -> None:
    with pytest.raises(DatasetError, match=r"26 samples and 27 are needed.*calibrationSamples"):
        split_indices(26, DIGEST, SIZES)


def test_loads_and_widens_number_types(tmp_path: Path) -> None:
    file = save(tmp_path, ids=np.ones((30, 4), np.int32), extra=np.ones(3))
    dataset = load_dataset(file, [IDS])
    assert dataset.inputs.keys() == {"ids"}
    assert dataset.inputs["ids"].dtype == np.int64
    assert dataset.sample(7)["ids"].shape == (1, 4)
    parts = split_dataset(dataset, DIGEST, SIZES)
    assert parts[Split.CALIBRATION].samples == 5


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"other": np.ones((3, 4))}, "has no array `ids`, an input of the model; it has other"),
        ({"ids": np.ones((3, 5), np.int64)}, r"shape \(3, 5\), the model takes \(-1, 4\)"),
        ({"ids": np.ones((3, 4, 1), np.int64)}, r"shape \(3, 4, 1\)"),
        ({"ids": np.ones((3, 4), np.float32)}, "cannot become the model's int64 without loss"),
        ({"ids": np.ones((3, 4), np.int64), "labels": np.ones(2)}, "differ in their count"),
    ],
)
def test_refuses_arrays_that_do_not_fit(
    tmp_path: Path, arrays: dict[str, Array], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        load_dataset(save(tmp_path, **arrays), [IDS])


CLASSES = "the right class of each sample as integers"
VALUES = "the right values as numbers"


@pytest.mark.parametrize(
    ("metric", "labels", "message"),
    [
        ("Accuracy", None, f"`labels`, which the metric Accuracy needs: add {CLASSES}, or use"),
        ("F1", None, f"`labels`, which the metric F1 needs: add {CLASSES}, or use"),
        ("RMSE", None, f"`labels`, which the metric RMSE needs: add {VALUES}, or use"),
        (
            "Accuracy",
            np.ones((3, 1), np.int64),
            rf"of shape \(3, 1\); the metric Accuracy needs {CLASSES}",
        ),
        ("F1", np.ones(3), f"holds float64 of shape .*; the metric F1 needs {CLASSES}, one each"),
        (
            "RMSE",
            np.array(["a", "b", "c"]),
            f"holds <U1 .* the metric RMSE needs {VALUES}, all finite",
        ),
        ("RMSE", np.array([1, np.nan, 2]), f"holds float64 .* needs {VALUES}, all finite"),
        ("RMSE", np.float32(1), f"holds float32 .* needs {VALUES}"),
    ],
)
def test_labels_that_the_metric_can_not_use(
    tmp_path: Path, metric: str, labels: Array | None, message: str
) -> None:
    arrays = {} if labels is None else {"labels": labels}
    file = save(tmp_path, ids=np.ones((3, 4), np.int64), **arrays)
    with pytest.raises(DatasetError, match=message):
        load_dataset(file, [IDS], metric=metric)


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("Accuracy", np.arange(3)),
        ("F1", np.array([True, False, True])),
        ("RMSE", np.arange(3)),
        ("RMSE", np.ones((3, 2), np.float32)),
    ],
)
def test_labels_that_the_metric_can_use(tmp_path: Path, metric: str, labels: Array) -> None:
    file = save(tmp_path, ids=np.ones((3, 4), np.int64), labels=labels)
    found = load_dataset(file, [IDS], metric=metric).labels
    assert found is not None
    assert (found == labels).all()


def test_each_metric_knows_its_sizes_and_whether_it_needs_labels() -> None:
    metrics = TENSOR_INFERENCE.metrics
    assert metrics.keys() == set(Metric)
    assert {name for name, one in metrics.items() if not one.labels} == {Metric.NEAREST_NEIGHBORS}


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 broken"])
def test_refuses_files_that_are_no_archive(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "dataset.npz"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read as a numpy archive"):
        load_dataset(file, [IDS])


def test_refuses_pickled_arrays(tmp_path: Path) -> None:
    file = save(tmp_path, ids=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DatasetError, match="without object arrays"):
        load_dataset(file, [IDS])


def test_missing_file_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"spec\.evaluation\.dataset"):
        load_dataset(tmp_path / "dataset.npz", [IDS])
