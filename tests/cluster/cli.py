"""The command line in this process, by the same way in as the installed script."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.cli import main as entry

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


@dataclass
class Cli:
    """`skerry` in this process, in the module's namespace."""

    kubeconfig: Path
    namespace: str
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def run(self, *words: str) -> tuple[int, str, str]:
        """Return the exit code, standard output and standard error."""
        scope = []
        if words[0] != "plan" or "--offline" not in words:
            scope = ["--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace]
        self.monkeypatch.setattr(sys, "argv", ["skerry", words[0], *scope, *words[1:]])
        code = 0
        try:
            entry.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def __call__(self, *words: str) -> str:
        """Return the output of a command that must succeed."""
        code, said, wrong = self.run(*words)
        assert code == 0, f"skerry {' '.join(words)}: {wrong}"
        return said

    def refused(self, *words: str) -> str:
        """Return the message of a command that must fail, without a traceback."""
        code, said, wrong = self.run(*words)
        assert code != 0, f"skerry {' '.join(words)}: {said}"
        assert "Traceback" not in wrong
        return " ".join(wrong.split())
