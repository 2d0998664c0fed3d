"""What dbt made of each model: told by the task that runs dbt, read by the models' tasks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any

GOOD = frozenset({"success", "pass", "warn"})
SKIPPED = "skipped"
BROKEN = frozenset({"error", "runtime error"})  # not "fail", a test that found something: it would find it again


def verdict_key(model: str) -> str:
    """XCom key of a model's verdict.

    :param model: dbt's unique id.
    """
    return f"verdict_{model}"


@dataclass(frozen=True)
class Verdict:
    """How building a model and running its tests went.

    :param clears: how often the run had been cleared by then: a verdict from before is no answer to a later clear.
    :param sql: the model as dbt compiled it, when it is good.
    """

    good: bool
    clears: int
    message: str
    sql: str | None = None

    @classmethod
    def of(cls, pulled: Mapping[str, Any] | None, clears: int) -> "Verdict | None":
        """Read what was pulled from XCom; None if there is nothing, or only something from before a clear."""
        found = cls(**pulled) if pulled else None
        return found if found and found.clears == clears else None

    def as_xcom(self) -> dict[str, Any]:
        """What is pushed to XCom."""
        return asdict(self)


@dataclass
class Verdicts:
    """Collects what becomes of each node, and tells each model's verdict once.

    A model is good as soon as it is built and all of its tests have passed or warned. That a model is not good is told
    at the end only: it may be tried again. Used by several threads of dbt.

    :param tests_of: unique ids of the tests by model.
    :param clears: see `Verdict`.
    :param tell: receives a model's unique id and its verdict.
    """

    tests_of: Mapping[str, list[str]]
    clears: int
    tell: Callable[[str, Verdict], None]
    _nodes: dict[str, tuple[str, str]] = field(default_factory=dict)
    _sql: dict[str, str | None] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def node_finished(self, node: str, status: str, message: str, sql: str | None = None) -> None:
        """Take note of a model, test or other node that has ended."""
        with self._lock:
            self._nodes[node] = (status, message)
            self._sql[node] = sql or self._sql.get(node)
            for model in filter(_has_verdict, (node, *self._tested_by(node))):
                if model not in self._told and self._is_good(model):
                    self._told.add(model)
                    self.tell(model, Verdict(True, self.clears, self._nodes[model][1], self._sql.get(model)))

    def finish(self) -> None:
        """Tell the verdicts that are left: none of them is good."""
        for model in {*filter(_has_verdict, self._nodes), *self.tests_of} - self._told:
            self.tell(model, Verdict(False, self.clears, self._complaint(model)))

    def broken(self) -> list[str]:
        """Nodes that ended by an error, rather than by what a test found."""
        return [node for node, (status, _) in self._nodes.items() if status in BROKEN]

    def not_good(self) -> list[str]:
        """Nodes that are not good, each with its status and dbt's words."""
        return [f"{node}: {status}: {text}" for node, (status, text) in self._nodes.items() if status not in GOOD]

    def _is_good(self, model: str) -> bool:
        return all(self._status(node) in GOOD for node in (model, *self.tests_of.get(model, ())))

    def _status(self, node: str) -> str:
        return self._nodes.get(node, ("not run", ""))[0]

    def _tested_by(self, test: str) -> Iterable[str]:
        return (model for model, tests in self.tests_of.items() if test in tests)

    def _complaint(self, model: str) -> str:
        nodes = [model, *self.tests_of.get(model, ())]
        bad = [(node, *self._nodes.get(node, ("not run", ""))) for node in nodes if self._status(node) not in GOOD]
        if self._status(model) == SKIPPED:  # by a failed unit test, for one
            bad += [(f"skipped after {node}", status, text) for node, (status, text) in self._culprits()]
        return "\n".join(f"{node}: {': '.join(filter(None, rest))}" for node, *rest in bad)

    def _culprits(self) -> Iterable[tuple[str, tuple[str, str]]]:
        return (each for each in self._nodes.items() if each[1][0] not in GOOD | {SKIPPED})


def _has_verdict(node: str) -> bool:
    return node.split(".", 1)[0] in ("model", "seed", "snapshot")
