"""The dbt project as a graph: who reads whom, which tests and consumers a model has."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.transform.manifest import Model, Project
from datastack.transform.project_files import project_dir

LAYERS = ("staging", "intermediate", "marts")


@dataclass(frozen=True)
class Check:
    """A data test. ``columns`` are those that it is about, in the order given."""

    unique_id: str
    kind: str
    columns: tuple[str, ...]
    attached_to: str | None
    node: dict[str, Any]

    @property
    def file(self) -> Path:
        """The file that declares it."""
        return project_dir() / str(self.node["original_file_path"])

    @property
    def is_softened(self) -> bool:
        """Whether it lets something pass: it only warns, has another limit than none, or looks at some rows only."""
        config = self.node["config"]
        limits = {config.get("warn_if", "!= 0"), config.get("error_if", "!= 0")}
        return config["severity"].upper() != "ERROR" or limits != {"!= 0"} or bool(config.get("where"))


@dataclass(frozen=True)
class Graph:
    """A project with its tests, unit tests and consumers at hand."""

    project: Project

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """All data tests."""
        nodes = self.project.manifest["nodes"].values()
        return tuple(_check(node) for node in nodes if node["resource_type"] == "test")

    def checks_of(self, model: Model) -> list[Check]:
        """Data tests that a model's YAML declares."""
        return [check for check in self.checks if check.attached_to == model.unique_id]

    @cached_property
    def unit_tested(self) -> frozenset[str]:
        """Names of the models that a unit test is about."""
        return frozenset(test["model"] for test in self.project.manifest.get("unit_tests", {}).values())

    @cached_property
    def read(self) -> frozenset[str]:
        """Unique ids of what a model or an exposure reads."""
        exposures = self.project.manifest.get("exposures", {}).values()
        by_exposures = {name for exposure in exposures for name in exposure["depends_on"]["nodes"]}
        return frozenset(by_exposures | {name for model in self.project.models for name in model.parents})

    @cached_property
    def models(self) -> dict[str, Model]:
        """Models by unique id."""
        return {model.unique_id: model for model in self.project.models}

    def is_deprecated(self, model: Model) -> bool:
        """Whether it is a version that consumers are to leave by a date."""
        return bool(self.project.manifest["nodes"][model.unique_id].get("deprecation_date"))

    def source(self, unique_id: str) -> dict[str, Any] | None:
        """A source table's node, or None if that is no source."""
        found: dict[str, Any] | None = self.project.manifest.get("sources", {}).get(unique_id)
        return found

    def sources_of(self, model: Model) -> set[str]:
        """Unique ids of the source tables that a model is made of, through whatever models."""
        found = {name for name in model.parents if self.source(name)}
        return found.union(*(self.sources_of(self.models[name]) for name in model.parents if name in self.models))

    def in_order(self) -> Iterator[Model]:
        """Every model after those that it reads."""
        done: set[str] = set()
        waiting = list(self.project.models)
        while waiting:
            ready = [
                model for model in waiting if done.issuperset(name for name in model.parents if name in self.models)
            ]
            yield from ready
            done |= {model.unique_id for model in ready}
            waiting = [model for model in waiting if model not in ready]


def parts(model: Model) -> tuple[str, ...]:
    """Folders of a model below ``models``: its layer, then its source or domain."""
    return model.file.relative_to(project_dir() / "models").parent.parts


def layer(model: Model) -> str:
    """Layer of a model: the first folder below ``models``; empty if it stands in none."""
    return next(iter(parts(model)), "")


def is_mart(model: Model) -> bool:
    """Whether consumers get to see the model."""
    return layer(model) == "marts"


def wrong(model: Model, field: str, problem: str, remedy: str) -> DeclarationError:
    """Finding in a model's YAML."""
    return DeclarationError(model.yaml_file or model.file, f"{model.name}{field}", problem, remedy)


def _check(node: dict[str, Any]) -> Check:
    meta = node.get("test_metadata") or {}
    given = meta.get("kwargs") or {}
    columns = given.get("columns") or [given.get("column_name") or node.get("column_name")]
    names = tuple(str(column) for column in columns if column)
    return Check(node["unique_id"], meta.get("name") or "singular", names, node.get("attached_node"), node)
