"""Links in an image's /models: which files they give, which model is meant, and which are refused."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from skerry.api.artifact import Role
from skerry.api.reasons import FetchRefusal
from skerry_fetcher.contents import placed
from skerry_fetcher.errors import RefusedError
from skerry_fetcher.layers import Contents
from skerry_fetcher.links import MOST_FILES
from skerry_fetcher.listing import Listing, RemoteLayer
from skerry_fetcher.stages import listed
from tests.sources.artifacts import link, packed

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Mapping
    from pathlib import Path

WHERE = "oci+native://x/y:1"
MODEL, DATA = b"model", b"weights"


def unpacked(
    folder: Path, files: Mapping[str, bytes], links: list[tarfile.TarInfo]
) -> dict[str, Path]:
    """Return the files of an image of one layer."""
    path = folder / "layer.tar"
    path.write_bytes(packed(files, links))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    contents = Contents(folder / "contents", 100_000_000, WHERE, "models")
    contents.add(RemoteLayer(name=digest, sha256=digest, validator=digest), path)
    return contents.files()


def taken(
    folder: Path, files: Mapping[str, bytes], links: list[tarfile.TarInfo]
) -> dict[str, bytes]:
    """Return what jobs find of such an image as its model."""
    found = unpacked(folder, files, links)
    listing = Listing(files=listed(found), manifest="sha256:1", folder=True)
    chosen = placed(Role.SOURCE, listing, WHERE)
    return {name: found[file.name].read_bytes() for name, file in chosen.items()}


def refusal(folder: Path, files: Mapping[str, bytes], links: list[tarfile.TarInfo]) -> str:
    """See that such an image is refused; return the message."""
    with pytest.raises(RefusedError) as caught:
        taken(folder, files, links)
    assert caught.value.reason is FetchRefusal.WRONG_FORMAT
    return str(caught.value)


VERSION = {"models/v1/model.onnx": MODEL, "models/v1/model.onnx.data": DATA}
BLOBS = {"models/blobs/m": MODEL, "models/blobs/d": DATA}
SNAPSHOT = [
    link("models/current", "snapshots/abc"),
    link("models/snapshots/abc/model.onnx", "../../blobs/m"),
    link("models/snapshots/abc/model.onnx.data", "../../blobs/d"),
]
BOTH = {"model.onnx": MODEL, "model.onnx.data": DATA}


@pytest.mark.parametrize(
    ("files", "links"),
    [
        pytest.param(VERSION, [link("models/latest", "v1")], id="a version and its alias"),
        pytest.param(
            VERSION,
            [link("models/latest", "b"), link("models/b", "/models/v1/.")],
            id="two aliases",
        ),
        pytest.param(VERSION, [link("models/a/model.onnx", "../v1/model.onnx")], id="less in one"),
        pytest.param(
            {"models/v1/a.onnx": MODEL, "models/v1/model.onnx.data": DATA},
            [link("models/v1/b.onnx", "a.onnx")],
            id="two names in one folder",
        ),
        pytest.param(
            {"models/a.onnx": MODEL, "models/model.onnx.data": DATA},
            [link("models/b.onnx", "a.onnx")],
            id="two names in the root",
        ),
        pytest.param(BLOBS, SNAPSHOT, id="a cache of Hugging Face"),
        pytest.param(
            BLOBS,
            [
                *SNAPSHOT[1:],
                link("models/snapshots/main", "abc"),
                link("models/now", "snapshots/main"),
            ],
            id="a link to a link in a folder of links",
        ),
        pytest.param(
            {"models/..2026/model.onnx": MODEL, "models/..2026/model.onnx.data": DATA},
            [link("models/..data", "..2026"), link("models/served", "..data")],
            id="a volume of Kubernetes",
        ),
    ],
)
def test_one_model_under_several_names_is_one(
    tmp_path: Path, files: dict[str, bytes], links: list[tarfile.TarInfo]
) -> None:
    assert taken(tmp_path, files, links) == BOTH


def test_a_folder_that_has_files_and_links_keeps_both(tmp_path: Path) -> None:
    files = {"models/common/d": DATA, "models/v1/model.onnx": MODEL, "models/v1/vocab": b"v"}
    links = [link("models/v1/model.onnx.data", "../common/d"), link("models/latest", "v1")]
    assert taken(tmp_path, files, links) == {**BOTH, "vocab": b"v"}


def test_a_link_by_way_of_a_linked_folder_is_followed(tmp_path: Path) -> None:
    files = {"models/..2026/deep/model.onnx": MODEL, "models/readme": b""}
    links = [
        link("models/..data", "..2026"),
        link("models/model.onnx", "..data/deep/model.onnx"),
        link("models/same", "..data/deep/../../readme"),
    ]
    found = taken(tmp_path, files, links)
    assert found["model.onnx"] == MODEL
    assert found["same"] == b""


def test_a_models_own_name_is_taken_first(tmp_path: Path) -> None:
    links = [link("models/a", "v1"), link("models/z", "v1")]
    found = listed(unpacked(tmp_path, VERSION, links))
    chosen = placed(Role.SOURCE, Listing(files=found, manifest="sha256:1"), WHERE)
    assert {file.name for file in chosen.values()} == {name[len("models/") :] for name in VERSION}


@pytest.mark.parametrize(
    ("files", "links", "words"),
    [
        pytest.param(
            {**VERSION, "models/v2/model.onnx": b"other"}, [link("models/latest", "v2")],
            "holds v1/model.onnx and v2/model.onnx: move the one that is meant up",
            id="two models",
        ),
        pytest.param(
            {**VERSION, "models/a/vocab": b""}, [link("models/a/model.onnx", "../v1/model.onnx")],
            "holds a/model.onnx and v1/model.onnx: move", id="one model in two folders",
        ),
        pytest.param(
            VERSION, [link("models/v1/up", "..")], "models/v1/up is a link that leads in a circle",
            id="up to the root",
        ),
        pytest.param(
            VERSION, [link("models/v1/self", "."), link("models/latest", "v1")],
            "is a link that leads in a circle", id="to its own folder",
        ),
        pytest.param(
            {**VERSION, "models/w/x": b""},
            [link("models/v1/w", "../w"), link("models/w/v", "../v1")],
            "is a link that leads in a circle", id="two folders to each other",
        ),
        pytest.param(
            VERSION, [link(f"models/{n}", f"{n + 1}") for n in range(9)] + [link("models/9", "v1")],
            "or through more than 8 links; let it name the file itself", id="too long a chain",
        ),
        pytest.param(
            {"etc/passwd": b"root", **VERSION},
            [link("models/v1/x", "../../etc/passwd"), link("models/latest", "v1")],
            "models/v1/x is a link to etc/passwd, which /models does not have", id="out of a folder",
        ),
        pytest.param(
            VERSION, [link("models/up", "../.."), link("models/x", "up/etc/passwd")],
            "which /models does not have", id="out by way of a link",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(
    tmp_path: Path, files: dict[str, bytes], links: list[tarfile.TarInfo], words: str
) -> None:
    message = refusal(tmp_path, files, links)
    assert words in message
    assert len(message) <= 200


def test_links_that_multiply_are_refused_before_they_are_followed_all(tmp_path: Path) -> None:
    files = {"models/d7/model.onnx": MODEL}
    links = [
        link(f"models/d{level}/{n}", f"../d{level + 1}") for level in range(7) for n in range(100)
    ]
    message = refusal(tmp_path, files, links)
    assert f"links make more than {MOST_FILES} files of it" in message


def test_links_count_as_files(tmp_path: Path) -> None:
    links = [link(f"models/{n}", "model.onnx") for n in range(MOST_FILES)]
    assert "has more than" in refusal(tmp_path, {"models/model.onnx": MODEL}, links)
