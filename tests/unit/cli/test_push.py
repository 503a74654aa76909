"""`skerry push` says what is wrong with folder, target or registry, in two lines and without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skerry.cli.main import main
from tests.unit.artifacts.scripted import stopped_clock

if TYPE_CHECKING:
    from pathlib import Path

NOWHERE = "127.0.0.1:9"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("registry.example", "this is not an image name with a tag"),
        ("registry.example/models/intent", "write HOST[:PORT]/REPOSITORY:TAG"),
        ("oci://registry.example/:1", "this is not an image name with a tag"),
        (f"{NOWHERE}/models/intent:1", "whether it needs plain HTTP (--insecure)"),
    ],
)
def test_what_is_wrong_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    target: str, message: str,
) -> None:  # fmt: skip
    stopped_clock(monkeypatch)
    (tmp_path / "model.onnx").write_text("a model")
    assert message in refused(monkeypatch, capsys, str(tmp_path), target)


def test_an_empty_folder_is_not_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a node would learn much later that the image holds no model."""
    (tmp_path / "inner").mkdir()
    for folder in (tmp_path, tmp_path / "missing"):
        message = refused(monkeypatch, capsys, str(folder), f"{NOWHERE}/models/intent:1")
        assert "this folder has no files" in message


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> str:
    """Return the message of a command that ends with 1."""
    monkeypatch.setattr("sys.argv", ["skerry", "push", "--insecure", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said
