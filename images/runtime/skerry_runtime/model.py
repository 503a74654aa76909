"""The served model as both forms of the protocol ask for it: what it is, and its answers."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from skerry.engines import InputError
from skerry_runtime.admission import Admission, Busy
from skerry_runtime.batcher import Batcher
from skerry_runtime.engine import engine_named
from skerry_runtime.metrics import Metrics
from skerry_runtime.tensors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from skerry_runtime.artifact import Artifact
    from skerry_runtime.datatypes import Arrays
    from skerry_runtime.session import Session
    from skerry_runtime.settings import Settings
    from skerry_runtime.tensors import InferRequest

log = logging.getLogger("skerry_runtime")

Answer = TypeVar("Answer")


class Model:
    """One model under one name and, as its version, one revision."""

    def __init__(self, settings: Settings, artifact: Artifact, session: Session) -> None:
        self.name = settings.model_name
        self.revision = settings.revision
        self.artifact = artifact
        self.session = session
        self.platform = engine_named(artifact.engine).platform
        self._artifact_digest = settings.artifact_digest
        self.admission = Admission(settings.running_and_waiting)
        self.metrics = Metrics(lambda: self.admission.in_flight)
        self.metrics.name_model(
            model=self.name,
            revision=self.revision,
            recipe=artifact.recipe,
            precision=artifact.precision,
            engine_version=artifact.engine_version,
        )
        self._batcher = Batcher(
            self._compute,
            [*session.inputs, *session.outputs],
            batching=artifact.batching,
            observe=self.metrics.batch_requests.observe,
        )
        self.draining = False

    def check(self, name: str, version: str | None = None) -> None:
        """Check that this model and version are served here.

        Raises:
            RequestError: They are not (404).
        """
        if name != self.name:
            raise RequestError(f"unknown model '{name}': '{self.name}' is served here", 404)
        if version is not None and version != self.revision:
            raise RequestError(
                f"unknown version '{version}' of model '{name}': '{self.revision}' is served here",
                404,
            )

    def facts(self) -> dict[str, Any]:
        """Return what is served and what was certified about it, for the metadata of REST and gRPC."""
        artifact = self.artifact
        facts = {
            "revision": self.revision,
            "engine": artifact.engine,
            "engine_version": artifact.engine_version,
            "recipe": artifact.recipe,
            "precision": artifact.precision,
            "batching": artifact.batching,
            "artifact_digest": self._artifact_digest,
            "certified": artifact.certified,
        }
        return {key: value for key, value in facts.items() if value is not None}

    def properties(self) -> dict[str, str]:
        """Return `facts` as the flat strings of gRPC's metadata; nested ones as `certified.NAME`."""
        facts = self.facts()
        certified: dict[str, Any] = facts.pop("certified")
        flat = facts | {f"certified.{key}": value for key, value in certified.items()}
        return {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in flat.items()
        }

    def infer(
        self, read: Callable[[], InferRequest], write: Callable[[InferRequest, Arrays], Answer]
    ) -> Answer:
        """Read, compute and write one request within its place in the queue.

        Raises:
            Busy: There is no place.
            RequestError: The request is wrong.
            InputError: The engine refused its values.
        """
        with self.admission:
            request = read()
            arrays = self._batcher.run(request.inputs, request.outputs)
            return write(request, arrays)

    def refusal(self, error: Exception) -> tuple[int, str]:
        """Return the HTTP status and the message for what a request ended with."""
        if isinstance(error, RequestError):
            return error.status, str(error)
        if isinstance(error, InputError):
            return 400, f"the model refused the inputs: {error}"
        if isinstance(error, Busy):
            return 503, f"{self.admission.capacity} requests run or wait: try again later"
        log.error("a request failed", exc_info=error)
        return 500, "the request failed inside the runtime; its log says why"

    def _compute(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        with self.metrics.inference_seconds.time():
            return self.session.run(inputs, outputs)
