"""One case of `cases/`: a cluster as `kubectl get -o yaml` shows it, and all that one pass writes.

The first document of `snapshot.yaml` says what no object of the cluster does: the time, what the registry
answers, and what the case is there to show. The others are objects, read by the operator's own readers.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from skerry.api.config import OperatorConfig
from skerry.api.modelvariant import PinnedArtifact
from skerry.cluster.heartbeats import Moment
from skerry.controllers import writes
from skerry.controllers.cache import Fleet, key_of
from skerry.controllers.children import daemonsets_of, jobs_of, routes_of, variants_of
from skerry.controllers.gather import Gathered, build_slots
from skerry.controllers.partly import edge_model_of, edge_node_of, hardware_class_of
from skerry.controllers.reach import node_views
from skerry.controllers.unlabeled import is_owned
from skerry.controllers.unreadable import Reading
from skerry.controllers.views import fleet_node, serving_pod
from skerry.controllers.writes import Plan, Write
from skerry.decide.build.fetches import needs_job
from skerry.decide.edgemodel import decide
from skerry.decide.snapshot import Pin, Pins, Snapshot
from skerry.engines import installed_engines
from skerry.render.parts import Owner
from tests.unit.decide.plan_world import NothingFinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from skerry.api import EdgeModel
    from skerry.api.artifact import Artifact
    from skerry.cluster.client import Object
    from skerry.controllers.cache import Store
    from skerry.controllers.reading import Partly

CASES = Path(__file__).parent / "cases"
CLUSTER = {"EdgeModel", "HardwareClass", "Node", "EdgeNode", "Pod"}
"""Kinds that are not the EdgeModel's children."""
WIDTH, SHORT = 118, 108
JSON = "!json"

T = TypeVar("T")


@cache
def case(name: str) -> Case:
    """Return the case in this folder of `cases/`."""
    return Case(CASES / name)


@dataclass(frozen=True)
class Case:
    """A folder of `cases/`."""

    folder: Path

    @cached_property
    def documents(self) -> tuple[Object, list[Object]]:
        """Return the header and the objects; where the case has none of its own, those of the case it is like."""
        text = (self.folder / "snapshot.yaml").read_text()
        header, *own = yaml.load_all(text, Loader=_Loader)
        if "like" not in header:
            return header, own
        base, others = case(header["like"]).documents
        named = {_identity(item) for item in own}
        return base | header, [*(item for item in others if _identity(item) not in named), *own]

    @property
    def header(self) -> Object:
        """Return what no object of the cluster says."""
        return self.documents[0]

    @property
    def objects(self) -> list[Object]:
        """Return the objects of the cluster."""
        return self.documents[1]

    @property
    def config(self) -> OperatorConfig:
        """Return the settings that all cases share, with the case's own in their place."""
        shared = yaml.safe_load((CASES / "config.yaml").read_text())
        return OperatorConfig.model_validate(shared | self.header.get("config", {}))

    @property
    def now(self) -> datetime:
        """Return the time of the pass."""
        return datetime.fromisoformat(self.header["now"])

    def gathered(self) -> Gathered:
        """Return what the operator would gather from the cluster."""
        reading = Reading()
        fleet = self._fleet(reading)
        (model,) = fleet.models.values()
        key, uid = (model.metadata.namespace or "", model.metadata.name), model.metadata.uid
        children = [item for item in self.objects if item["kind"] not in CLUSTER]
        assert all(is_owned(item["metadata"], uid) for item in children)
        present = {_identity(item): item for item in children}
        pods = [item for item in self.objects if item["kind"] == "Pod"]
        snapshot = Snapshot(
            model=model,
            config=self.config,
            plugins=installed_engines(),
            classes={one.metadata.name: one for one in fleet.classes.values()},
            nodes=node_views(fleet, key, uid, Moment(self.now, 0.0)),
            routes=routes_of(present, reading),
            daemonsets=daemonsets_of(present, reading),
            variants=variants_of(present, reading),
            jobs=jobs_of(present, pods, reading),
            pins=self._pins(model),
            finished=NothingFinished(),
            slots=build_slots(fleet, model),
        )
        assert not reading.found, [str(one) for one in reading.found]
        return Gathered(snapshot, present)

    @cached_property
    def writes(self) -> tuple[Write, ...]:
        """Return all writes of one pass, in order."""
        gathered = self.gathered()
        metadata = gathered.snapshot.model.metadata
        owner = Owner(metadata.name, metadata.namespace or "", metadata.uid or "")
        plan = Plan(decide(gathered.snapshot, self.now), gathered, owner, self.config)
        status = writes.status(plan)
        reported = (status,) if status else ()
        return (*writes.before_status(plan), *reported, *writes.after_status(plan))

    def _fleet(self, reading: Reading) -> Fleet:
        """Return the caches, filled with the cluster's objects."""
        fleet = Fleet()
        self._fill(fleet.models, "EdgeModel", edge_model_of, reading)
        self._fill(fleet.classes, "HardwareClass", hardware_class_of, reading)
        self._fill(fleet.nodes, "Node", fleet_node, reading)
        self._fill(fleet.edge_nodes, "EdgeNode", edge_node_of, reading)
        self._fill(fleet.pods, "Pod", serving_pod, reading)
        return fleet

    def _fill(
        self,
        store: Store[T],
        kind: str,
        parse: Callable[[Object], T | Partly[T] | None],
        reading: Reading,
    ) -> None:
        for item in (item for item in self.objects if item["kind"] == kind):
            value = reading.read(kind, item, parse)
            if value is not None:
                store.put(key_of(item), 1, value)

    def _pins(self, model: EdgeModel) -> Pins:
        found = {
            role: self._pin(artifact)
            for role, artifact in model.spec.artifacts.items()
            if not needs_job(artifact)
        }
        return Pins({role: Pin(pinned) for role, pinned in found.items()})

    def _pin(self, artifact: Artifact) -> PinnedArtifact:
        return PinnedArtifact(uri=artifact.uri, digest=self.header["registry"][artifact.uri])


def _identity(item: Object) -> tuple[str, str]:
    return item["kind"], item["metadata"]["name"]


def shown(found: Iterable[Write]) -> str:
    """Return the writes as a YAML file: one document each, under what is done and when it is left out."""
    every = tuple(found)
    return "---\n".join(f"# {_title(every, write)}\n{dumped(write.body)}" for write in every)


def _title(every: tuple[Write, ...], write: Write) -> str:
    needed = [str(n) for n, other in enumerate(every, 1) if other.id in write.needs]
    number, urgent = every.index(write) + 1, ", urgent" if write.urgent else ""
    unless = f", unless {' or '.join(needed)} is refused" if needed else ""
    return f"{number}. {write.verb.value} {write.kind.name} {write.name}{urgent}{unless}"


def dumped(item: Object) -> str:
    """Return an object, as it is sent, as YAML that people can read."""
    sent = json.loads(json.dumps(item), object_pairs_hook=_with_one_of_each)
    return yaml.dump(sent, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """`!json` before a value stands for the text of its JSON."""


class _Dumper(yaml.SafeDumper):
    """Short lists and mappings are in one line; a text that is JSON is shown by `!json` and its value, once."""

    def ignore_aliases(self, data: object) -> bool:
        """Write each value where it stands, but for the plan that all containers of a job have."""
        return not _is_json(data)


def _mapping(dumper: yaml.SafeDumper, value: Object) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=_is_short(value))


def _sequence(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=_is_short(value))


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    if not _is_json(text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text)
    value = json.loads(text)
    return dumper.represent_mapping(JSON, value, flow_style=_is_short(value))


def _json(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.MappingNode)
    return json.dumps(loader.construct_mapping(node, deep=True), separators=(",", ":"))


def _with_one_of_each(pairs: list[tuple[str, Any]]) -> Object:
    """Equal texts become the same object: that is what an alias can stand for."""
    return {key: sys.intern(one) if isinstance(one, str) else one for key, one in pairs}


def _is_json(value: object) -> bool:
    return isinstance(value, str) and value.startswith('{"')


def _is_short(value: object) -> bool:
    return len(json.dumps(value)) <= SHORT


_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(list, _sequence)
_Dumper.add_representer(str, _text)
_Loader.add_constructor(JSON, _json)
