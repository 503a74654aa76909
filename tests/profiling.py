"""A pytest plugin that measures where a lane's time goes; `python -m tests.profile` loads it.

For each test: wall time, the CPU time of pytest's process and of the child processes that ended
meanwhile, how busy the machine's cores were, and how often the kernel throttled a control group.
Kubelets and containers are no children of pytest: what they use is in the machine's figures alone.
Works with `-n`: the workers measure, the controller collects.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.cgroups import hierarchies

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

REPORT_ENVIRONMENT = "SKERRY_PROFILE"
"""Names the file that the figures are written to."""
PROPERTY = "skerry-profile"
STARTUP = "start-up and collection"
TICKS = os.sysconf("SC_CLK_TCK")
SAMPLING_SECONDS = 2.0
"""Control groups of containers come and go: their counters are read this often."""
LAB_GROUP = "lab"


@dataclass
class Usage:
    """Seconds since some moment, and how often a control group was throttled meanwhile."""

    wall: float = 0.0
    own: float = 0.0
    children: float = 0.0
    busy: float = 0.0
    idle: float = 0.0
    stolen: float = 0.0
    throttled: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Return the sum of each figure."""
        return Usage(*(a + b for a, b in self._with(other)))

    def __sub__(self, other: Usage) -> Usage:
        """Return the difference of each figure."""
        return Usage(*(a - b for a, b in self._with(other)))

    def _with(self, other: Usage) -> Iterator[tuple[float, float]]:
        names = (field.name for field in fields(self))
        return ((getattr(self, name), getattr(other, name)) for name in names)


class Throttling:
    """Counts the periods in which the kernel throttled this container or a group of a lab."""

    def __init__(self) -> None:
        """Look at what is there now: only what is added from now on counts."""
        self._known: dict[Path, int] = {}
        self._roots = [root for root in hierarchies() if (root / "cpu.stat").exists()]
        self.count = 0
        """How many periods were throttled, as read last."""
        self.read()
        self.count = 0

    def read(self) -> None:
        """Read all groups' counters; with kubelets around that is not for each test."""
        for root in self._roots:
            self._read(root / "cpu.stat")
            for folder, _, files in os.walk(root / LAB_GROUP):  # groups come and go meanwhile
                if "cpu.stat" in files:
                    self._read(Path(folder) / "cpu.stat")

    def _read(self, file: Path) -> None:
        try:
            lines = file.read_text().splitlines()
        except OSError:
            return  # the group has ended
        now = sum(int(line.split()[1]) for line in lines if line.startswith("nr_throttled "))
        self.count += max(0, now - self._known.get(file, 0))
        self._known[file] = now


def used(throttling: Throttling) -> Usage:
    """Return what was used up to now."""
    mine = os.times()
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, idle, waiting, hard, soft, stolen = ticks[:8]
    return Usage(
        time.monotonic(),
        mine.user + mine.system,
        mine.children_user + mine.children_system,
        (user + nice + system + hard + soft) / TICKS,
        (idle + waiting) / TICKS,
        stolen / TICKS,
        throttling.count,
    )


class Profiler:
    """Measures in the process that runs tests, and collects in the one that reports."""

    def __init__(self) -> None:
        """Begin to measure."""
        self.throttling = Throttling()
        # the process's CPU time before this moment, most of it imports, is start-up as well
        self._last = Usage(**(asdict(used(self.throttling)) | {"own": 0.0, "children": 0.0}))
        self._startup = Usage()
        self.tests: dict[str, Usage] = {}
        self._ended = threading.Event()
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLING_SECONDS):
            self.throttling.read()

    def lap(self) -> Usage:
        """Return what was used since the last lap."""
        now = used(self.throttling)
        spent, self._last = now - self._last, now
        return spent

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Tell start-up and collection from the tests."""
        self._startup = self.lap()
        result = yield
        workers = getattr(session.config, "workeroutput", None)
        if workers is not None:
            workers[PROPERTY] = asdict(self._startup)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach to each phase's report what the phase used."""
        report = yield
        report.user_properties = [*report.user_properties, (PROPERTY, asdict(self.lap()))]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect."""
        found: Any = dict(report.user_properties).get(PROPERTY)
        if found:
            self.tests[report.nodeid] = self.tests.get(report.nodeid, Usage()) + Usage(**found)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Collect a worker's start-up."""
        found = getattr(node, "workeroutput", {}).get(PROPERTY)
        if found:
            self._startup += Usage(**found)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the figures where a reporting process runs."""
        self._ended.set()
        target = os.environ.get(REPORT_ENVIRONMENT)
        if target and not hasattr(session.config, "workeroutput"):
            figures = {STARTUP: self._startup} | self.tests
            text = json.dumps({name: asdict(usage) for name, usage in figures.items()}, indent=1)
            Path(target).write_text(text + "\n")


def pytest_configure(config: pytest.Config) -> None:
    """Register the profiler."""
    config.pluginmanager.register(Profiler(), PROPERTY)
