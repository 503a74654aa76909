"""How servers are asked and what their answers say: a strategy for each protocol, found by its name.

A serving pod names its protocol in an annotation. Skerry brings `OpenInference`; an entry point of the group
`skerry.protocols` adds another.
"""

from skerry_agent.protocols.find import (
    UnknownProtocol,
    damaged_protocols,
    known_protocols,
    protocol_of,
)
from skerry_agent.protocols.open_inference import OPEN_INFERENCE
from skerry_agent.protocols.protocol import Line, Protocol, Question, Reading

__all__ = [
    "OPEN_INFERENCE",
    "Line",
    "Protocol",
    "Question",
    "Reading",
    "UnknownProtocol",
    "damaged_protocols",
    "known_protocols",
    "protocol_of",
]
