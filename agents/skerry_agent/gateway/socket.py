"""HAProxy's runtime socket: commands in, text out; one connection each, as the protocol has it."""

from __future__ import annotations

import asyncio
import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TIMEOUT_SECONDS = 2.0
UNDER_WAY = "* "
PASSED = frozenset({"L7OK", "L7OKC"})
"""States of a check by HTTP that was answered well; before the first it is INI."""


async def ask(socket: Path, commands: Sequence[str]) -> str:
    """Send commands together and return the whole answer.

    Raises OSError where nobody listens and TimeoutError where nobody answers.
    """
    async with asyncio.timeout(TIMEOUT_SECONDS):
        reader, writer = await asyncio.open_unix_connection(socket)
        try:
            writer.write((";".join(commands) + "\n").encode())
            await writer.drain()
            writer.write_eof()  # a master would wait for more
            return (await reader.read(-1)).decode(errors="replace")
        finally:
            writer.close()


_FAILED = re.compile(r"\[failed: ([0-9]+)\]")


def refusal(answer: str, processes: str) -> str | None:
    """Return why a master refused to reload, by its answer to `reload` and to a later `show proc`.

    None when the last reload went well. HAProxy says why since 2.7; before it only counts.
    """
    if answer.startswith("Success=0"):
        alerts = [line for line in answer.splitlines() if "[ALERT]" in line]
        return alerts[0].rpartition("[ALERT]")[2].strip(" \t:") if alerts else answer[:200]
    failed = _FAILED.search(processes)
    return "see its log" if failed and int(failed[1]) else None


@dataclass(frozen=True)
class LiveServer:
    """A server as the running gateway sees it."""

    status: str
    weight: int
    address: str
    check: str = ""

    @property
    def host(self) -> str:
        """Its address without the port."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def paused(self) -> bool:
        """Whether it is in maintenance: not used, not checked."""
        return self.status.startswith("MAINT")

    @property
    def up(self) -> bool | None:
        """Whether it answers its health check; None before the first result.

        A new server is up until a check fails: only its first good check is a result.
        """
        if not self.status.startswith("UP"):
            return False
        return True if self.check.removeprefix(UNDER_WAY) in PASSED else None


def parse_stat(text: str) -> dict[str, dict[str, LiveServer]]:
    """Return the servers by backend, parsed from `show stat` without frontends and sums."""
    found: dict[str, dict[str, LiveServer]] = {}
    for row in csv.DictReader(text.removeprefix("# ").strip().splitlines()):
        name, server = row["pxname"], row["svname"]
        if "." not in name or server == "FRONTEND":
            continue
        servers = found.setdefault(name, {})
        if server != "BACKEND":
            weight = int(row["weight"] or 0)
            servers[server] = LiveServer(row["status"], weight, row["addr"], row["check_status"])
    return found


def parse_map(text: str) -> dict[str, str]:
    """Return the entries of `show map`, whose lines begin with an address in memory; none without the map."""
    rows = (line.split(" ", 2) for line in text.splitlines() if line.startswith("0x"))
    return {row[1]: row[2] for row in rows if len(row) == 3}  # noqa: PLR2004 - address, key, value
