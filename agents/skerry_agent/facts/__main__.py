"""Prints what the agent would report of this machine: `python -m skerry_agent.facts`.

Outside of a pod the network that it sees is the machine's.
"""

from __future__ import annotations

import json
import os
import sys

from skerry_agent.facts.find import find_facts
from skerry_agent.facts.places import HOST_NET, HOST_SYS, Places

ON_THE_MACHINE = {HOST_NET: "/proc/net", HOST_SYS: "/sys"}
IN_A_POD = "KUBERNETES_SERVICE_HOST"


def main() -> None:
    """Write the facts as JSON to stdout."""
    network = {} if IN_A_POD in os.environ else ON_THE_MACHINE
    found = find_facts(Places.of_environment(network | dict(os.environ)))
    sys.stdout.write(json.dumps(found.to_wire(), indent=2) + "\n")


if __name__ == "__main__":
    main()
