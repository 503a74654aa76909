"""`python -m skerry_runtime`: load the artifact, say what is served, serve until asked to stop."""

from __future__ import annotations

import logging
import sys
import time

from skerry.engines import ModelError
from skerry_runtime.artifact import read_artifact
from skerry_runtime.engine import engine_named, load_model
from skerry_runtime.limits import thread_count
from skerry_runtime.model import Model
from skerry_runtime.server import serve
from skerry_runtime.service import Service
from skerry_runtime.session import Session
from skerry_runtime.settings import Settings, from_environment

log = logging.getLogger("skerry_runtime")


def main() -> int:
    """Serve; returns the exit code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    logging.getLogger("waitress").setLevel(logging.WARNING)
    try:
        settings = from_environment()
        service = _load(settings)
        serve(service, settings)
    except ModelError as error:
        log.error("cannot serve: %s", error)  # noqa: TRY400 - for people, without a stack
        return 1
    except OSError as error:
        log.error("cannot serve: port %s: %s", settings.port, error)  # noqa: TRY400
        return 1
    return 0


def _load(settings: Settings) -> Service:
    started = time.perf_counter()
    artifact = read_artifact(settings.model_dir)
    threads = thread_count(settings.cpu_limit)
    file = engine_named(artifact.engine).model_in(artifact.directory)
    model = load_model(artifact.engine, file, threads)
    session = Session(model, batching=artifact.batching, whole=artifact.whole)
    log.info(
        "serving model %s, revision %s: recipe %s (%s) in %s %s, %d thread(s), batching %s,"
        " loaded in %.2f s, port %d",
        settings.model_name,
        settings.revision,
        artifact.recipe,
        artifact.precision,
        artifact.engine,
        artifact.engine_version,
        threads,
        "on" if artifact.batching else "off",
        time.perf_counter() - started,
        settings.port,
    )
    return Service(Model(settings, artifact, session))


if __name__ == "__main__":
    sys.exit(main())
