"""Notes when pods come, start, get ready and end, as the API server reports it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from kubernetes import client, config, watch
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from pathlib import Path

COMPONENT = "app.kubernetes.io/component"


@dataclass
class PodMoments:
    """The first moment (`time.monotonic`) of each step of the pods of each component."""

    kubeconfig: Path
    namespace: str
    first: dict[str, float] = field(default_factory=dict)
    _watch: Any = field(default_factory=watch.Watch)

    def __enter__(self) -> Self:
        """Start to watch."""
        load: Any = config.new_client_from_config  # without types
        api = client.CoreV1Api(load(str(self.kubeconfig)))
        self._thread = threading.Thread(target=self._follow, args=(api,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop at the next event, or with the connection."""
        self._watch.stop()

    def _follow(self, api: Any) -> None:
        events = self._watch.stream(api.list_namespaced_pod, self.namespace, timeout_seconds=600)
        with suppress(HTTPError):  # the cluster was taken down meanwhile
            for event in events:
                if event["type"] != "DELETED":
                    self._note(event["object"])

    def _note(self, pod: Any) -> None:
        now, name = time.monotonic(), (pod.metadata.labels or {}).get(COMPONENT, "pod")
        for step in steps_of(pod):
            self.first.setdefault(f"{name} {step}", now)


def steps_of(pod: Any) -> list[str]:
    """Return how far a pod is."""
    status = pod.status
    ready = any(c.type == "Ready" and c.status == "True" for c in status.conditions or ())
    every = [*(status.init_container_statuses or ()), *(status.container_statuses or ())]
    begun = any(one.state.running or one.state.terminated for one in every)
    found = {"begun": begun, "ready": ready, "done": status.phase == "Succeeded"}
    return ["made", *(step for step, reached in found.items() if reached)]
