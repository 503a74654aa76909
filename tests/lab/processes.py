"""Starts the lab's long-running programs, and knows which of them live.

A program runs in a session and a control group of its own, writes to a log in the lab's state, and
is recorded by its process id and start time, so that a reused id is never taken for it.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tests.lab import cgroups
from tests.lab.commands import wait_for, write_whole
from tests.lab.errors import LabError
from tests.lab.plan import Plan

LOG_TAIL_LINES = 15

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

JOIN_AND_RUN = 'for file in $ENTRY_FILES; do echo $$ > "$file"; done; unset ENTRY_FILES; exec "$@"'
"""Joins the control groups, then becomes the program: no moment outside of them."""

_children: list[subprocess.Popen[bytes]] = []
"""What this very process started; it must collect them when they end."""


@dataclass(frozen=True)
class Record:
    """A program that was started, as it is written down."""

    name: str
    pid: int
    started: float

    def process(self) -> psutil.Process | None:
        """Return the process if it still lives."""
        try:
            process = psutil.Process(self.pid)
            same = process.create_time() == self.started
            alive = same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


class Processes:
    """The programs of one lab."""

    def __init__(self, plan: Plan) -> None:
        """Keep logs and records below the lab's state."""
        self._group = f"{plan.cgroup}/system"
        self._logs = plan.state / "logs"
        self._records = plan.state / "processes"

    def prepare(self) -> None:
        """Make the folders and the control group for what will be started."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._records.mkdir(parents=True, exist_ok=True)
        cgroups.make(self._group)

    def start(
        self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> Record:
        """Start a program that keeps running after this process has ended.

        Args:
            name: What the lab calls it.
            command: Program and arguments.
            env: Its whole environment; by default, the system's PATH alone.
        """
        entry_files = " ".join(str(file) for file in cgroups.entry_files(self._group))
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                ["sh", "-c", JOIN_AND_RUN, name, *(str(word) for word in command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={"PATH": SYSTEM_PATH, **(env or {}), "ENTRY_FILES": entry_files},
            )
        _children.append(child)
        record = Record(name, child.pid, psutil.Process(child.pid).create_time())
        write_whole(self._records / f"{name}.json", json.dumps(asdict(record)))
        return record

    def log(self, name: str) -> Path:
        """Return the file that a program writes to."""
        return self._logs / f"{name}.log"

    def record(self, name: str) -> Record | None:
        """Return what is known of a program that was started."""
        try:
            return Record(**json.loads((self._records / f"{name}.json").read_text()))
        except FileNotFoundError:
            return None

    def records(self) -> list[Record]:
        """Return all programs that were started, dead ones too."""
        names = sorted(file.stem for file in self._records.glob("*.json"))
        return [record for record in map(self.record, names) if record is not None]

    def alive(self, name: str) -> bool:
        """Return whether a program was started and lives."""
        record = self.record(name)
        return record is not None and record.process() is not None

    def require_alive(self, *names: str) -> None:
        """Check that programs live.

        Raises:
            LabError: One died; the message has the end of its log.
        """
        for name in names:
            if not self.alive(name):
                raise LabError(f"{name} has died; the end of {self.log(name)}:\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """Return the last lines that a program wrote."""
        log = self.log(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def stop(self, name: str, seconds: float = 10.0) -> None:
        """Kill one program and wait until it is gone."""
        record = self.record(name)
        process = record.process() if record else None
        if process is None:
            return
        process.kill()
        wait_for_end({process.pid}, seconds)


def wait_for_end(pids: set[int], seconds: float = 10.0) -> None:
    """Wait until killed processes have ended, and collect those that this process started.

    An ended process whose parent has not looked yet (the machine's init, mostly) counts as gone.
    """
    for child in [child for child in _children if child.pid in pids]:
        child.wait(seconds)
        _children.remove(child)
    wait_for(lambda: not any(map(_runs, pids)), "killed processes to end", seconds, 0.02)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return False
