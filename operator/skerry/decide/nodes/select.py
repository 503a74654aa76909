"""Which engines are tried for a hardware class, in which order, and why.

Each engine brings its own rank (`skerry.engines`); this is a shortlist, and measuring on the class
chooses among those that are installed. Engines that are known and not installed are listed too, so that
nobody has to guess why the first choice was not taken; an installed engine without a rank comes last.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from skerry.api.common import MOST_RANKS
from skerry.api.edgemodel import EngineRank
from skerry.api.facts import CPU_FEATURES
from skerry.engines.catalog import CATALOG
from skerry.engines.ranking import hardware_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from skerry.api.config import EngineSettings
    from skerry.api.edgemodel import Assessment
    from skerry.decide.nodes.device import Device
    from skerry.engines import EnginePlugin
    from skerry.engines.catalog import KnownEngine

NOT_INSTALLED = "not installed: the operator's configuration (`engines`) does not have it"

FOR_INT8 = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Instructions that multiply 8-bit numbers and add them up to 32 bits at once."""


def rank_engines(
    assessment: Assessment,
    device: Device,
    installed: Mapping[str, EngineSettings],
    plugins: Mapping[str, EnginePlugin],
) -> tuple[EngineRank, ...]:
    """Rank the engines for a class, the first choice first, each with its reason.

    Args:
        assessment: Of the source; one without a format is of a source that nobody has read.
        device: What the class's devices are.
        installed: The engines of the operator's configuration by name.
        plugins: The descriptions of engines that are at hand, by name.
    """
    return tuple(islice(_ranks(assessment, device, installed, plugins), MOST_RANKS))


def _ranks(
    assessment: Assessment,
    device: Device,
    installed: Mapping[str, EngineSettings],
    plugins: Mapping[str, EnginePlugin],
) -> Iterator[EngineRank]:
    hardware = hardware_of(device.architecture, device.features)
    known: dict[str, KnownEngine | EnginePlugin] = {one.name: one for one in CATALOG}
    known |= plugins
    found = {name: engine.rank(hardware, assessment.family) for name, engine in known.items()}
    ranked = {name: rank for name, rank in found.items() if rank is not None}
    for engine, rank in sorted(ranked.items(), key=lambda item: (item[1].place, item[0])):
        said = f"choice {rank.place} for {hardware}: {rank.why}"
        yield _rank(engine, said, assessment, device, installed.get(engine))
    for engine in sorted(installed.keys() - ranked):
        said = f"installed, but not ranked for {hardware}"
        yield _rank(engine, said, assessment, device, installed[engine])


def _rank(
    engine: str,
    said: str,
    assessment: Assessment,
    device: Device,
    settings: EngineSettings | None,
) -> EngineRank:
    if settings is None:
        return EngineRank(engine=engine, installed=False, reason=f"{said}; {NOT_INSTALLED}")
    if settings.architectures and device.architecture not in settings.architectures:
        images = f"its images are for {', '.join(settings.architectures)} only"
        return EngineRank(engine=engine, installed=False, reason=f"{said}; {images}")
    reads = f"; reads {assessment.format}" if assessment.format else ""
    reason = f"{said}{reads}{_found(device)}"
    return EngineRank(engine=engine, installed=True, reason=reason)


def _found(device: Device) -> str:
    """Return which int8 instructions the agents found, where the spec leaves that to them."""
    if not device.reported or any(
        one in CPU_FEATURES for one in set(device.features) - set(device.found)
    ):
        return ""
    int8 = ", ".join(one for one in device.found if one in FOR_INT8)
    nodes = f"all {device.reported} nodes that reported" if device.reported > 1 else "its node"
    return f"; found on {nodes}: {int8 or 'no instructions for int8'}"
