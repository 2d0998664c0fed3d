"""Reads what dbt made of the project: its models, as frozen objects, from the manifest."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.contract.odcs import read_yaml
from datastack.transform.model_checksum import Checksums
from datastack.transform.project_files import manifest_file, project_dir, require_current


@dataclass(frozen=True)
class ModelColumn:
    """A column that a model's YAML names. ``type`` and ``description`` are empty where the YAML has none."""

    name: str
    type: str
    description: str
    privacy: str | None


@dataclass(frozen=True)
class Slices:
    """Which stream's slices an incremental model follows, and by which of its own columns."""

    source: str
    stream: str
    column: str


@dataclass(frozen=True)
class Model:
    """A model as dbt understood it.

    ``checksum`` changes with all that decides the model's rows: its code and contract, the macros it calls, the models
    it reads. ``parents`` are unique ids of the models and sources that it reads.
    """

    unique_id: str
    name: str
    version: str | None
    alias: str
    schema: str
    materialized: str
    columns: tuple[ModelColumn, ...]
    slices: Slices | None
    checksum: str
    tags: tuple[str, ...]
    description: str
    access: str
    group: str | None
    contract_enforced: bool
    parents: tuple[str, ...]
    file: Path
    yaml_file: Path | None

    @property
    def relation(self) -> str:
        """Where the model is built: ``schema.alias``."""
        return f"{self.schema}.{self.alias}"

    @property
    def is_restricted(self) -> bool:
        """Whether a column is for granted roles only."""
        return any(column.privacy == "restrict" for column in self.columns)


@dataclass(frozen=True)
class Project:
    """The dbt project: its models, its own version, and the version of the dbt that parsed it."""

    models: tuple[Model, ...]
    version: str
    dbt_version: str
    manifest: dict[str, Any] = field(repr=False, compare=False)

    def marts(self, domain: str) -> tuple[Model, ...]:
        """Models of a domain that its gate reads and its publication brings to consumers, sorted by alias."""
        found = (model for model in self.models if model.schema == f"build_{domain}")
        return tuple(sorted(found, key=lambda model: model.alias))

    def model(self, name: str, version: str | None = None) -> Model:
        """Return the model of this name; of a versioned one, the given version or else the latest.

        :raises KeyError: if there is none.
        """
        return self._by_name[name, version]

    @cached_property
    def _by_name(self) -> dict[tuple[str, str | None], Model]:
        found = {(model.name, model.version): model for model in self.models}
        latest = {
            (model.name, None): model
            for model in self.models
            if model.version == _text(self.manifest["nodes"][model.unique_id].get("latest_version"))
        }
        return latest | found


def read_project() -> Project:
    """Read the project that dbt parsed.

    :raises DeclarationError: if the manifest is missing, was made from other files than the project's, or names
        something that it should not.
    """
    require_current()
    file = manifest_file()
    manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    own = read_yaml(project_dir() / "dbt_project.yml")
    checksums = Checksums(manifest, own.get("vars") or {})
    nodes = (node for node in manifest["nodes"].values() if node["resource_type"] == "model")
    models = (_model(node, checksums) for node in nodes)
    return Project(
        models=tuple(sorted(models, key=lambda model: model.unique_id)),
        version=str(own.get("version", "")),
        dbt_version=manifest["metadata"]["dbt_version"],
        manifest=manifest,
    )


def _model(node: dict[str, Any], checksums: Checksums) -> Model:
    config, patch = node["config"], node.get("patch_path")
    return Model(
        unique_id=node["unique_id"],
        name=node["name"],
        version=_text(node.get("version")),
        alias=node["alias"],
        schema=node["schema"],
        materialized=config["materialized"],
        columns=tuple(_column(column) for column in node["columns"].values()),
        slices=_slices(node),
        checksum=checksums.of(node["unique_id"]),
        tags=tuple(config["tags"]),
        description=node["description"],
        access=node["access"],
        group=node.get("group"),
        contract_enforced=config["contract"]["enforced"],
        parents=tuple(node["depends_on"]["nodes"]),
        file=project_dir() / node["original_file_path"],
        yaml_file=project_dir() / patch.partition("://")[2] if patch else None,
    )


def _column(column: dict[str, Any]) -> ModelColumn:
    meta = (column.get("config") or {}).get("meta") or column.get("meta") or {}
    return ModelColumn(column["name"], column["data_type"] or "", column["description"], meta.get("privacy"))


def _slices(node: dict[str, Any]) -> Slices | None:
    declared = node["config"]["meta"].get("slices")
    if declared is None:
        return None
    if not isinstance(declared, dict) or set(declared) != {"source", "stream", "column"}:
        file = project_dir() / (node.get("patch_path") or node["original_file_path"]).rpartition("://")[2]
        remedy = "Write {source: …, stream: …, column: …}."
        raise DeclarationError(file, f"{node['name']}.config.meta.slices", f"is {declared!r}", remedy)
    return Slices(declared["source"], declared["stream"], declared["column"])


def _text(version: Any) -> str | None:
    return None if version is None else str(version)
