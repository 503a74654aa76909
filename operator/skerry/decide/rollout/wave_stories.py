"""The stories of a target while its candidate's wave runs, waits or stands still."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from skerry.api.edgemodel import Phase
from skerry.api.reasons import Cause, RolloutReason
from skerry.decide.rollout import why
from skerry.decide.rollout.model import Story
from skerry.decide.rollout.opening import is_empty, is_passed_over, pulling_nodes
from skerry.decide.rollout.progress import deadline
from skerry.decide.rollout.report import wave_status
from skerry.decide.rollout.retire import holders, leaving
from skerry.decide.rollout.wave import (
    is_done,
    is_last,
    lost_nodes,
    passed_nodes,
    waiting_nodes,
)

if TYPE_CHECKING:
    from skerry.decide.rollout.report import Facts


def ring_without_nodes(facts: Facts) -> Story | None:
    """Report a wave whose ring has no node in any class."""
    view, wave = facts.view, facts.wave
    if wave is None or is_last(view, wave):
        return None
    step = view.policy.waves[wave.index]
    if not is_empty(view, step) or is_passed_over(view, step):
        return None
    text = f"{wave_words(facts)}: no node of any class has these labels; label nodes of class"
    text += f" {view.hardware_class}, or correct spec.rollout.waves[{wave.index}].nodeSelector"
    return rolling_out(RolloutReason.RING_WITHOUT_NODES, text)


def stalled(facts: Facts) -> Story | None:
    """Report a wave without progress for longer than `progressDeadline`, with the cause if it is known."""
    view, wave, route = facts.view, facts.wave, facts.route
    until = deadline(view)
    if wave is None or route is None or until is None or facts.now < until:
        return None
    if view.desired is None or is_done(view, wave, facts.now):
        return None
    status = wave_status(facts)
    if status is None or status.last_progress_time == facts.now:
        return None
    since = f"no progress since {status.last_progress_time:%Y-%m-%d %H:%M:%S} UTC"
    known = ring_without_nodes(facts) or lost(facts)
    if known is not None:
        return overdue(f"{known.cause.message}; {since}")
    waiting = waiting_nodes(view, wave)
    whom = f"{len(waiting)} of its nodes" if waiting else "a free slot on its nodes"
    text = f"{wave_words(facts)} has made {since} and waits for {whom}"
    cause = why.any_cause(view, waiting, wave.candidate.revision)
    text += f"; {cause}" if cause else ""
    text += f". To end it, run kubectl skerry abort {view.edge_model}"
    return overdue(text)


def held(facts: Facts) -> Story | None:
    """Report a wave whose nodes all lack their pods for a known cause."""
    view, wave = facts.view, facts.wave
    if wave is None or view.desired is None:
        return None
    waiting = waiting_nodes(view, wave)
    cause = why.shared(why.causes(view, waiting, wave.candidate.revision), waiting)
    if cause is None:
        return None
    cause = replace(cause, message=f"{wave_words(facts)}; {cause.message}")
    return Story(Phase.ROLLING_OUT, cause)


def lost(facts: Facts) -> Story | None:
    """Report a wave that nodes hold which fell silent."""
    if facts.wave is None:
        return None
    lost = lost_nodes(facts.view, facts.wave, facts.now)
    if not lost:
        return None
    text = f"{wave_words(facts)} waits for {why.names(lost)}, silent since the wave opened: "
    text += "bring the nodes back, or delete their Node objects if they are gone for good"
    return rolling_out(RolloutReason.NODES_LOST, text)


def waits_for_room(facts: Facts) -> Story | None:
    """Report a wave that waits until nodes release an older revision."""
    view, wave, route = facts.view, facts.wave, facts.route
    if wave is None or route is None or waiting_nodes(view, wave):
        return None
    left = leaving(view, route, facts.now)
    held = [node for rev in sorted(left) for node in holders(view, route, rev, facts.now)]
    if not left:
        return None
    revisions = ", ".join(sorted(left))
    released = (
        f"for {why.names(held)} to release {revisions}" if held else f"until {revisions} is gone"
    )
    text = f"{wave_words(facts)} waits {released}"
    outside = why.left_out(view)
    text += f"; {outside}" if outside else ""
    return rolling_out(RolloutReason.RETIRING_REVISION, text)


def waits_for_pulls(facts: Facts) -> Story | None:
    """Report a wave that opens no further while the limit on concurrent pulls is reached."""
    view, wave = facts.view, facts.wave
    limit = view.policy.max_concurrent_pulls
    if wave is None or limit is None or wave.planned == wave.opened:
        return None
    pulling = pulling_nodes(view, wave.candidate.revision, wave.opened)
    text = f"{wave_words(facts)}: pulling and starting on {why.names(pulling)}, at most {limit} at once"
    cause = why.summary(why.causes(view, pulling, wave.candidate.revision))
    text += f"; {cause}" if cause else ""
    return rolling_out(RolloutReason.PULLING_CANDIDATE, text) if pulling else None


def runs(facts: Facts) -> Story | None:
    """Report any other wave."""
    view, wave = facts.view, facts.wave
    if wave is None:
        return None
    passed = len(passed_nodes(view, wave))
    waiting = waiting_nodes(view, wave)
    text = f"{wave_words(facts)}: {passed} passed, {len(waiting)} in progress"
    cause = why.summary(why.causes(view, waiting, wave.candidate.revision))
    said = (cause, why.without_agent(waiting), why.left_out(view))
    text += "".join(f"; {words}" for words in said if words)
    if facts.view.desired is None:
        text += "; held until the changed spec is built"
        return rolling_out(RolloutReason.AWAITING_NEW_BUILD, text)
    return rolling_out(RolloutReason.WAVE_IN_PROGRESS, text)


def wave_words(facts: Facts) -> str:
    """Return which wave it is of which candidate, in words."""
    wave = facts.wave
    if wave is None:
        return "no wave"
    steps = facts.view.policy.waves
    step = steps[wave.index]
    return f"wave {wave.index + 1} of {len(steps)} ({step}) of {wave.candidate.revision}"


def rolling_out(reason: RolloutReason, text: str) -> Story:
    """Return the story of a rollout that needs nobody."""
    return Story(Phase.ROLLING_OUT, Cause(reason, text))


def overdue(text: str) -> Story:
    """Return the story of a rollout that made no progress until its deadline."""
    cause = Cause(RolloutReason.DEADLINE_EXCEEDED, text, stalls=True)
    return Story(Phase.ROLLING_OUT, cause)
