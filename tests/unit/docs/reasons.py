"""Every reason that a status can give, read out of the code that decides.

Reasons are arguments of a few constructors. Most are words or constants; where one comes out of a variable,
`ELSEWHERE` says what it may hold. A reason that comes from a place that is not known here is an error, so
that nothing new goes by unseen.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skerry.cluster.advice import WriteRefusal
from skerry.jobs.results import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3] / "operator"
DECIDE = ROOT / "skerry" / "decide"
# Constructor -> place of the reason among its arguments.
ARGUMENT = {"Trouble": 0, "Story": 1, "Finding": 2, "TargetBuild": 2, "EngineBuild": 4}
BY_KEYWORD = {*ARGUMENT, "Assessed", "replace"}

JOB_CONDITIONS = {"BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy"}
"""With which the Job controller ends jobs such as ours (batch/v1, JobReason*)."""

ELSEWHERE: dict[tuple[str, str, str], set[str]] = {
    ("stages", "failure", "reason"): JOB_CONDITIONS,
    ("fetches", "_refusal", "word"): {word.value for word in Refusal},
    ("status", "_all_builds", "kind"): {"Optimized", "Certified"},
}
"""(module, function, variable) -> what it may hold."""

PREFIXED = {("sources", "_from_job"): (("stages", "failure"), ("stages", "_container_failure"))}
"""A function that writes a word before another's reason, and whose."""


class UnknownReasonError(AssertionError):
    """A reason comes from somewhere that this module does not know."""


@dataclass(frozen=True)
class Context:
    """Where an expression stands: (module, function), the statement around it, the module's names."""

    place: tuple[str, str]
    node: ast.stmt
    constants: dict[str, Any]

    @property
    def is_prefixed(self) -> bool:
        """Whether this function writes a word before another's reason."""
        return self.place in PREFIXED


@dataclass
class Collector:
    """Reasons by (module, function) that gives them.

    Attributes:
        argument: place of what is looked for among a constructor's arguments.
        keyword: its name, where a constructor takes it by name.
    """

    argument: dict[str, int] = field(default_factory=lambda: dict(ARGUMENT))
    keyword: str = "reason"
    found: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    prefixes: dict[tuple[str, str], str] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        """Collect from one module."""
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        constants = vars(import_module(name))
        module = ast.parse(path.read_text())
        functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
        # Constants, such as a story that is always the same, stand outside of functions.
        for node in (*functions, *(n for n in module.body if isinstance(n, ast.Assign))):
            place = (path.stem, node.name if isinstance(node, ast.FunctionDef) else "")
            for expression in self._expressions(node):
                self.found[place] |= self._values(expression, Context(place, node, constants))

    def all(self) -> set[str]:
        """Everything, with the prefixed ones."""
        for place, prefix in self.prefixes.items():
            others = set().union(*(self.found[other] for other in PREFIXED[place]))
            self.found[place] |= {prefix + reason for reason in others}
        return {reason for reasons in self.found.values() for reason in reasons if reason}

    def _expressions(self, function: ast.stmt) -> Iterator[ast.expr]:
        """What is looked for among the arguments of all calls in a function."""
        for call in ast.walk(function):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            place = self.argument.get(call.func.id)
            if place is not None and len(call.args) > place:
                yield call.args[place]
            if call.func.id in BY_KEYWORD:
                yield from (w.value for w in call.keywords if w.arg == self.keyword)

    def _values(self, node: ast.expr, context: Context) -> set[str]:
        known = self._leaf(node, context)
        if known is not None:
            return known
        return set().union(*(self._values(part, context) for part in _parts(node, context)))

    def _leaf(self, node: ast.expr, context: Context) -> set[str] | None:
        """What an expression is by itself; None for one that is made of others."""
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.Attribute(attr="reason"):
                return set()  # handed on: it is found where it was made
            case ast.Name(id=name) if isinstance(context.constants.get(name), str):
                return {context.constants[name]}
            case ast.Name(id=name) if (*context.place, name) in ELSEWHERE:
                return ELSEWHERE[*context.place, name]
            case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]) if context.is_prefixed:
                self.prefixes[context.place] = prefix
                return set()
        return None


def collect() -> set[str]:
    """Every reason of `skerry.decide`, and of writes that the API server refuses."""
    return _read_all(Collector()) | {word.value for word in WriteRefusal}


def condition_types() -> set[str]:
    """Every condition of `skerry.decide`."""
    return _read_all(Collector(argument={"Finding": 0}, keyword="type"))


def _read_all(collector: Collector) -> set[str]:
    for path in sorted(DECIDE.rglob("*.py")):
        # The guard's findings are verdicts of a device, not conditions.
        if path.parent != DECIDE / "guard":
            collector.read(path)
    return collector.all()


def _parts(node: ast.expr, context: Context) -> list[ast.expr]:
    """The expressions that one may turn out to be."""
    match node:
        case ast.BoolOp(values=parts):
            return parts
        case ast.IfExp(body=body, orelse=otherwise):
            return [body, otherwise]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get"), args=[_, *default]):
            return [*map(ast.Constant, context.constants[table].values()), *default]
        case ast.Subscript(value=ast.Name(id=table)):
            return [*map(ast.Constant, context.constants[table].values())]
        case ast.Name(id=name) if found := _assigned(context.node, name):
            return found
    raise UnknownReasonError(_unknown(context.place, node))


def _assigned(function: ast.stmt, name: str) -> list[ast.expr]:
    """What a variable of a function is set to."""
    return [
        statement.value
        for statement in ast.walk(function)
        if isinstance(statement, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == name for t in statement.targets)
    ]


def _unknown(place: tuple[str, str], node: ast.expr) -> str:
    where = f"skerry.decide: {'.'.join(place)}"
    return f"{where} gives a reason by `{ast.unparse(node)}`: say in {__file__} what that may be"
