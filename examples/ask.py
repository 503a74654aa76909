"""Asks a served model about samples of a data set: `python -m examples.ask DATASET.npz URL`.

    python -m examples.ask OUTDIR/dataset/dataset.npz http://NODE:30080/NAMESPACE/digits
    python -m examples.ask OUTDIR/dataset/dataset.npz http://digits.NAMESPACE.svc

URL is one of the ways of `status.address` of the EdgeModel. Prints each answer with its label, and
how many are right where the labels are classes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import numpy as np

from tests.lab.client.traffic import infer_request

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECONDS = 10.0


def main() -> None:
    """Parse the command line, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path, metavar="DATASET.npz")
    parser.add_argument("url", metavar="URL")
    parser.add_argument("--samples", type=int, default=10)
    arguments = parser.parse_args()
    labels = np.load(arguments.dataset)["labels"]
    classes = labels.dtype.kind in "iu"
    right = 0
    for sample in range(arguments.samples):
        try:
            answer = ask(arguments.url, arguments.dataset, sample)
        except httpx.HTTPError as error:
            sys.exit(f"{arguments.url}: {error}")
        answered, wanted = answer.argmax() if classes else answer.item(), labels[sample].item()
        right += bool(answered == wanted)
        print(f"sample {sample}: {answered:.4g}, and its label is {wanted:.4g}")
    if classes:
        print(f"{right} of {arguments.samples} right")


def ask(url: str, dataset: Path, sample: int) -> NDArray[np.float64]:
    """Return the first output for one sample, by the Open Inference Protocol over REST."""
    parts = urlsplit(url)
    name = parts.path.strip("/").split("/")[-1] or (parts.hostname or "").split(".")[0]
    request = infer_request(dataset, sample)
    answer = httpx.post(f"{url}/v2/models/{name}/infer", json=request, timeout=SECONDS)
    if answer.is_error:
        message = f"{answer.status_code}: {answer.text[:300]}"
        raise httpx.HTTPStatusError(message, request=answer.request, response=answer)
    return np.array(answer.json()["outputs"][0]["data"])


if __name__ == "__main__":
    main()
