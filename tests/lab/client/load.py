"""Steady open-loop traffic from one pod: runs in the cluster, mounted from a ConfigMap.

Requests leave at a fixed rate whatever the answers do (a closed loop would go easy on a slow server).
Where the pod itself did not get to run in time, the requests missed are left out: caught up with all at
once they would be a load that nobody asked for.
Each answer becomes one line of JSON on stdout: when it was sent (Unix seconds), how long it took
(milliseconds), the HTTP status (0: no answer) and the revision that the gateway named.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from pathlib import Path

import httpx

TIMEOUT_SECONDS = 5.0
MOST_BEHIND_SECONDS = 0.25


async def ask(client: httpx.AsyncClient, url: str, body: bytes) -> None:
    """Send one inference and print what came of it."""
    sent = time.time()
    start = time.perf_counter()
    try:
        answer = await client.post(url, content=body, headers={"Content-Type": "application/json"})
        status, revision = answer.status_code, answer.headers.get("X-Skerry-Revision", "")
    except httpx.HTTPError as error:
        status, revision = 0, type(error).__name__
    record = {
        "t": round(sent, 4),
        "ms": round((time.perf_counter() - start) * 1000, 2),
        "s": status,
        "r": revision,
        "n": os.environ["NODE_NAME"],
    }
    sys.stdout.write(json.dumps(record, separators=(",", ":")) + "\n")
    sys.stdout.flush()


async def main(url: str, rate: float, requests: list[object]) -> None:
    """Send `rate` requests a second to `url` until the pod is ended."""
    bodies = itertools.cycle([json.dumps(request).encode() for request in requests])
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits) as client:
        running: set[asyncio.Task[None]] = set()
        due = time.perf_counter()
        while True:
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            due = max(due, time.perf_counter() - MOST_BEHIND_SECONDS)
            task = asyncio.create_task(ask(client, url, next(bodies)))
            running.add(task)
            task.add_done_callback(running.discard)


if __name__ == "__main__":
    asyncio.run(
        main(
            os.environ["URL"],
            float(os.environ["RATE"]),
            json.loads(Path("/load/requests.json").read_text()),
        )
    )
