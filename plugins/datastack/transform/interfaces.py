"""What consumers may rely on: columns and types of the public marts, kept in a file so that a break is seen.

A break is a mart or column that is gone, or a column of another type. It takes a new version of the dbt model: the mart
keeps its name and columns as one version until the ``deprecation_date`` of that is over, while the new version has
another alias.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from datastack.contract.errors import DeclarationError
from datastack.contract.odcs import read_yaml
from datastack.contract.registry import include_dir
from datastack.transform.graph import is_mart
from datastack.transform.manifest import Model, Project

_HEADER = (
    "# Generated from the dbt project by `make generate`: what consumers of the marts may rely on. A change that\n"
    "# breaks it takes a new version of the model; `make check` says how.\n"
)


def interfaces_file() -> Path:
    """Return where the interfaces are kept."""
    return include_dir() / "interfaces.yml"


def interfaces_yaml(project: Project) -> str:
    """Text of the interfaces as the project has them now."""
    marts = sorted((model for model in project.models if _is_public(model)), key=lambda model: model.relation)
    content = {"marts": {_name(model): _interface(project, model) for model in marts}}
    return _HEADER + yaml.safe_dump(content, sort_keys=False, width=110)


def broken_interfaces(project: Project) -> Iterator[DeclarationError]:
    """Everything that consumers rely on and that the project no longer has."""
    if not interfaces_file().exists():
        return
    now = {_name(model): model for model in project.models if _is_public(model)}
    for name, promised in (read_yaml(interfaces_file()).get("marts") or {}).items():
        model = now.get(name)
        if model is None:
            if not _is_over(promised.get("deprecation_date")):
                yield _broken(name, "marts", "is in use, and no model makes it any more")
            continue
        types = {column.name: column.type for column in model.columns}
        for column, type_ in promised["columns"].items():
            if column not in types:
                yield _broken(name, f"columns.{column}", f"is in use, and {model.name} has it no more")
            elif not _is_same(type_, types[column]):
                yield _broken(name, f"columns.{column}", f"is in use as {type_}, and now is {types[column]}")


def outdated_interfaces(project: Project) -> Iterator[DeclarationError]:
    """That the file is not what the project has, though nothing is broken."""
    file = interfaces_file()
    if not file.exists() or file.read_text(encoding="utf-8") != interfaces_yaml(project):
        yield DeclarationError(file, "(whole file)", "does not follow from the dbt project", "Run `make generate`.")


def _broken(mart: str, field: str, problem: str) -> DeclarationError:
    alias = mart.split(".")[1]
    remedy = (
        f"Keep it as it was in one of the model's versions (versions: with config: {{alias: {alias}}} and a "
        f"deprecation_date), and make the change in a new version: consumers move over until that date. If nobody can "
        f"have used it yet, delete its lines here and run `make generate`."
    )
    return DeclarationError(interfaces_file(), f"marts.{mart}.{field}".removesuffix(".marts"), problem, remedy)


def _is_public(model: Model) -> bool:
    return is_mart(model) and model.access == "public"


def _name(model: Model) -> str:
    return f"{model.schema.removeprefix('build_')}.{model.alias}"


def _interface(project: Project, model: Model) -> dict[str, Any]:
    columns = {"columns": {column.name: column.type for column in model.columns}}
    end = project.manifest["nodes"][model.unique_id].get("deprecation_date")
    return columns | ({"deprecation_date": str(end)[:10]} if end else {})


def _is_over(deprecation_date: Any) -> bool:
    if not deprecation_date:
        return False
    return date.fromisoformat(str(deprecation_date)) < datetime.now(UTC).date()


def _is_same(one: str, other: str) -> bool:
    from sqlglot import exp

    return exp.DataType.build(one, dialect="postgres") == exp.DataType.build(other, dialect="postgres")
