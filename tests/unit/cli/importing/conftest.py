"""What the tests of imports share: models that were trained once, and the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from skerry.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.importing.trained import Saved


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Return models that their libraries have saved."""
    from tests.unit.cli.importing.trained import save_all  # noqa: PLC0415 - seconds, on each worker

    return save_all(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def run_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return a function that runs `skerry import` in a folder of the test, and returns what it says."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object, ends: int = 0) -> str:
        monkeypatch.setattr("sys.argv", ["skerry", "import", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == ends, said.out + said.err
        assert "Traceback" not in said.err
        return said.err if ends else said.out

    return run
