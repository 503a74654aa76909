"""Weight-only int8 by OpenVINO and NNCF's own API: `openvino_recipe.py MODEL WORK`."""

from __future__ import annotations

import sys
from pathlib import Path

RECIPE = "weight-int8"
FILES = {"source": "source.xml", RECIPE: f"{RECIPE}.xml"}


def main() -> None:
    """Convert, compress, save."""
    import nncf  # noqa: PLC0415 - the names above are all that the other script needs
    import openvino as ov  # noqa: PLC0415

    source, work = sys.argv[1], Path(sys.argv[2])
    model = ov.Core().read_model(source)
    ov.save_model(model, str(work / FILES["source"]), compress_to_fp16=False)
    compressed = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    ov.save_model(compressed, str(work / FILES[RECIPE]), compress_to_fp16=False)


if __name__ == "__main__":
    main()
