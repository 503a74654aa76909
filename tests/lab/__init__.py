"""The lab: a throw-away, real Kubernetes cluster for the tests and the demonstration.

    from tests.lab import Lab

    with Lab("mine") as lab:
        lab.kubectl("get", "nodes")

From the command line: `python -m tests.lab --help`. The README next to this file says how it is
built and what it leaves alone.
"""

from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.plan import Node

__all__ = ["Lab", "LabError", "Node"]
