"""Makes the MiniLM example's files: `python examples/minilm/make.py OUTDIR`.

    OUTDIR/v1/model.onnx          the encoder, 90 MB
    OUTDIR/v2/model.onnx          the same encoder in another edition, for an update
    OUTDIR/v3/model.onnx          one that is slow on texts longer than those of the data set
    OUTDIR/dataset/dataset.npz    1,500 sentences as `input_ids` and `attention_mask`

Each folder is pushed by `examples/push.py`. The same Python version gives the same bytes, so the
same digests: a repeated run is no new revision. Takes about five seconds.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import safetensors.numpy
from encoder_graph import EDITIONS, EncoderGraph, Weights
from encoder_package import read_model_file
from numpy.typing import NDArray
from python_sentences import collect_sentences
from tokenizers import Tokenizer

SENTENCES = 1500
"""8 golden, 128 for calibration, the rest in two halves of 682: choice and certification."""

TOKENS = 64
"""Every sample is padded to this length; sentences of up to 40 words seldom reach it."""


def main(out: Path) -> None:
    """Write all files below `out`."""
    config = json.loads(read_model_file("config.json"))
    weights: Weights = safetensors.numpy.load(read_model_file("model.safetensors"))
    for name, edition in EDITIONS.items():
        model = EncoderGraph(weights, config, edition).build()
        _write(out / name / "model.onnx", model.SerializeToString(deterministic=True))
    dataset = out / "dataset" / "dataset.npz"
    dataset.parent.mkdir(parents=True, exist_ok=True)
    inputs = tokenized(collect_sentences(SENTENCES))
    # numpy dates an archive's members 1980: the same arrays give the same bytes.
    np.savez(dataset, input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
    print(f"{dataset}: {SENTENCES} sentences of {TOKENS} tokens")


def tokenized(sentences: list[str]) -> dict[str, NDArray[np.int64]]:
    """Return the encoder's inputs, each of shape (sentences, TOKENS)."""
    tokenizer = Tokenizer.from_str(read_model_file("tokenizer.json").decode())
    tokenizer.enable_truncation(TOKENS)
    tokenizer.enable_padding(length=TOKENS)
    encoded = tokenizer.encode_batch(sentences)
    return {
        "input_ids": np.array([one.ids for one in encoded], np.int64),
        "attention_mask": np.array([one.attention_mask for one in encoded], np.int64),
    }


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    print(f"{file}: {len(content) / 1e6:.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes the files of this example.")
    parser.add_argument("folder", metavar="OUTDIR", type=Path, help="Where to.")
    main(parser.parse_args().folder)
