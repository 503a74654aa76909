"""One reconcile of one EdgeModel: gather, decide, apply. Workers take them off the queue."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError
from skerry.cluster.pace import priority
from skerry.controllers import metrics
from skerry.controllers.apply import Applier
from skerry.controllers.gather import Held, gather
from skerry.controllers.unreadable import report
from skerry.decide.edgemodel import decide
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.controllers.cache import Key
    from skerry.controllers.operator import Operator
    from skerry.decide.decision import Decision
    from skerry.decide.refused import Refused
    from skerry.decide.snapshot import Snapshot

WORKERS = 4
DONE, OVERTAKEN = "done", "overtaken"
CONFLICT_SECONDS = 30.0
"""A name that somebody else holds is looked at again after this."""

logger = logging.getLogger(__name__)


class Ended(NamedTuple):
    """How a reconcile ended, and the seconds until the next look; None when only news can change anything."""

    result: str
    again_after: float | None = None


async def run_worker(
    operator: Operator, fresh: asyncio.Event, *, urgent_only: bool = False
) -> None:
    """Take EdgeModels off the queue, once the caches are fresh; what fails is tried again, later.

    Args:
        operator: what it works with.
        fresh: set once the caches are.
        urgent_only: leave the rest to others, so that one worker is free when a device reports a Fail.
    """
    await fresh.wait()
    while True:
        key, level = await operator.queue.take(urgent_only=urgent_only)
        try:
            with metrics.RECONCILE_SECONDS.time(), priority(level):
                ended = await reconcile(operator, key)
        except ClusterError as error:
            if error.status == HTTPStatus.CONFLICT:
                _overtaken(operator, key, str(error))
            else:
                _failed(operator, key, str(error))
        except (SkerryError, ValidationError) as error:
            _failed(operator, key, str(error))
        except asyncio.CancelledError:
            # The process no longer leads: the reconcile begins again when it does.
            operator.queue.done(key, 0.0)
            raise
        except Exception:
            logger.exception("a defect of the operator; report it with this trace")
            _failed(operator, key, "see the trace above")
        else:
            metrics.RECONCILES.labels(ended.result).inc()
            operator.queue.done(key, ended.again_after)


async def reconcile(operator: Operator, key: Key) -> Ended:
    """Bring one EdgeModel a step further."""
    gathered = await gather(operator, key)
    if gathered is None:
        operator.conflicts.pop(key, None)
        operator.absences.pop(key, None)
        return Ended(DONE)
    if isinstance(gathered, Held):
        await report(operator.cluster, kinds.EDGE_MODEL, gathered.raw, gathered.why)
        return Ended(DONE)
    now = datetime.now(UTC)
    snapshot, decision = await _decided(operator, key, gathered.snapshot, now)
    applier = Applier(operator, replace(gathered, snapshot=snapshot), now)
    await applier.apply(decision)
    again_after = _again(operator, key, applier, decision.requeue_after)
    return Ended(result_of(applier.refused.values()), again_after)


def result_of(refused: Iterable[Refused]) -> str:
    """Return how a reconcile ended that wrote what it could: overtaken where a write met a conflict."""
    return DONE if all(one.cause for one in refused) else OVERTAKEN


async def _decided(
    operator: Operator, key: Key, snapshot: Snapshot, now: datetime
) -> tuple[Snapshot, Decision]:
    """Return the decision, made with the answers of a registry that answers at once, and its snapshot."""
    decision = decide(snapshot, now)
    while decision.lookups:
        await operator.lookups.ask(key, snapshot.model, decision.lookups)
        finished = operator.lookups.answers(key, snapshot.model)
        if finished.keys() == snapshot.finished.keys():
            break
        snapshot = replace(snapshot, finished=finished)
        decision = decide(snapshot, now)
    return snapshot, decision


def _again(
    operator: Operator, key: Key, applier: Applier, requeue_after: float | None
) -> float | None:
    """Return when to reconcile again; at once when the status does not yet report the obstacle."""
    known, conflicts = operator.conflicts.get(key, ()), tuple(applier.conflicts)
    operator.conflicts[key] = conflicts
    if conflicts != known or not applier.is_reported:
        return 0.0
    next_look = CONFLICT_SECONDS if conflicts else None
    times = (requeue_after, next_look, operator.refusals.next_try(key))
    return min((time for time in times if time is not None), default=None)


def _overtaken(operator: Operator, key: Key, why: str) -> None:
    metrics.RECONCILES.labels(OVERTAKEN).inc()
    operator.queue.overtaken(key)
    logger.info("%s/%s: reconciling again, an object changed meanwhile: %s", *key, why)


def _failed(operator: Operator, key: Key, why: str) -> None:
    metrics.RECONCILES.labels("failed").inc()
    delay = operator.queue.failed(key)
    logger.warning("%s/%s: retrying in %.1f s: %s", *key, delay, why)
