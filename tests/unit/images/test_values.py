"""`make images` names every image of the checkout where the chart expects it."""

from __future__ import annotations

from pathlib import Path

import yaml

from image_build import BuiltImage
from image_build.spec import image_names
from image_build.values import chart_values, engine_names, place, write

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "skerry"


def test_every_image_but_the_base_has_its_place() -> None:
    engines = engine_names(ROOT)
    without = [name for name in image_names(ROOT) if place(name, engines) is None]
    assert without == ["base"]


def test_every_image_that_the_chart_expects_is_given(tmp_path: Path) -> None:
    built = [BuiltImage(name, "", f"r.example/{name}@sha256:0") for name in image_names(ROOT)]
    made = chart_values(built, "r.example", insecure=True, engines=engine_names(ROOT))
    write(tmp_path / "values.yaml", made)
    given = yaml.safe_load((tmp_path / "values.yaml").read_text())
    wanted = yaml.safe_load((CHART / "values.yaml").read_text())
    assert given["registry"] == {"address": "r.example", "insecure": True}
    assert given["images"].keys() == wanted["images"].keys()
    assert given["engines"].keys() == wanted["engines"].keys()
    for images in given["engines"].values():
        assert images.keys() == {"optimizerImage", "runtimeImage"}


def test_an_image_of_somebody_else_s_is_left_out() -> None:
    """An example's image is built by name too; it is no part of an installation."""
    built = [BuiltImage("mlserver-onnx", "", "r.example/mlserver-onnx@sha256:0")]
    made = chart_values(built, "r.example", insecure=False, engines={})
    assert made == {"registry": {"address": "r.example", "insecure": False}}
