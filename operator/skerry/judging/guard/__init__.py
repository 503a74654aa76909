"""The guard: is the candidate on this node worse than stable, by statistics that equals don't fail?

Flow: the agent hands every answer's times to `evidence.Evidence`; once a second `verdict.judge` asks
each rule of the route (`shift`, `tail`, `errors`, `golden`, one file each) and combines what they
say. Nothing here knows a clock, a socket or a file: the simulation test runs the very same functions.
"""

from skerry.judging.guard.evidence import Answer, Evidence, Side
from skerry.judging.guard.finding import Finding
from skerry.judging.guard.verdict import judge

__all__ = ["Answer", "Evidence", "Finding", "Side", "judge"]
