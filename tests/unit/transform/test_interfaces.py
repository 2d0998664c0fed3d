"""What consumers rely on can't be taken from them unseen; a new version of the model is the way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from datastack.transform.interfaces import broken_interfaces, interfaces_file, interfaces_yaml, outdated_interfaces
from datastack.transform.manifest import Project, read_project
from tests.dbt_manifest import model, write_manifest

COLUMNS = {"id": "bigint", "name": "varchar"}
TODAY = datetime.now(UTC).date()


@pytest.fixture(autouse=True)
def promised(declarations: Callable[..., Path]) -> None:
    """Consumers rely on dim_a."""
    interfaces_file().write_text(interfaces_yaml(project(model("dim_a", columns=COLUMNS))))


def project(*models: dict[str, Any]) -> Project:
    write_manifest(*models)
    return read_project()


def broken(*models: dict[str, Any]) -> list[str]:
    return [f"{error.field}: {error.problem}" for error in broken_interfaces(project(*models))]


def outdated(*models: dict[str, Any]) -> list[str]:
    return [str(error) for error in outdated_interfaces(project(*models))]


def version(number: int, alias: str, columns: dict[str, str], **fields: Any) -> dict[str, Any]:
    """One of the versions of dim_a."""
    names = {"unique_id": f"model.datastack.dim_a.v{number}", "alias": alias, "version": number, "latest_version": 2}
    return model("dim_a", columns=columns, **names, **fields)


def test_what_did_not_change():
    assert broken(model("dim_a", columns=COLUMNS)) == outdated(model("dim_a", columns=COLUMNS)) == []


def test_the_same_type_by_another_name_breaks_nothing():
    assert broken(model("dim_a", columns={"id": "int8", "name": "character varying"})) == []


@pytest.mark.parametrize(
    ("models", "found"),
    [
        ([], "marts.retail.dim_a: is in use, and no model makes it any more"),
        ([model("dim_b", columns=COLUMNS)], "marts.retail.dim_a: is in use, and no model makes it any more"),
        (
            [model("dim_a", columns=COLUMNS, access="protected")],
            "marts.retail.dim_a: is in use, and no model makes it any more",
        ),
        (
            [model("dim_a", columns={"id": "bigint"})],
            "marts.retail.dim_a.columns.name: is in use, and dim_a has it no more",
        ),
        (
            [model("dim_a", columns={**COLUMNS, "id": "integer"})],
            "marts.retail.dim_a.columns.id: is in use as bigint, and now is integer",
        ),
        ([version(2, "dim_a_v2", {"id": "bigint"})], "marts.retail.dim_a: is in use, and no model makes it any more"),
    ],
)
def test_a_break_is_told(models: list[dict[str, Any]], found: str):
    assert broken(*models) == [found]


def test_the_way_out_is_told():
    [error] = broken_interfaces(project())
    assert error.file == interfaces_file()
    for word in ("versions:", "alias: dim_a", "deprecation_date", "make generate"):
        assert word in error.remedy


def test_an_added_column_only_needs_generating():
    more = model("dim_a", columns={**COLUMNS, "more": "date"})
    assert broken(more) == []
    assert outdated(more) == [
        f"{interfaces_file()}: (whole file): does not follow from the dbt project. Run `make generate`."
    ]
    interfaces_file().unlink()
    assert outdated(more)


def test_a_version_that_keeps_the_mart_breaks_nothing_until_its_time_is_over():
    old = version(1, "dim_a", COLUMNS, deprecation_date=f"{TODAY}T00:00:00")
    new = version(2, "dim_a_v2", {"id": "integer"})
    assert broken(old, new) == []
    interfaces_file().write_text(interfaces_yaml(project(old, new)))
    assert broken(new) == ["marts.retail.dim_a: is in use, and no model makes it any more"]
    old["deprecation_date"] = f"{TODAY - timedelta(days=1)}T00:00:00"
    interfaces_file().write_text(interfaces_yaml(project(old, new)))
    assert broken(new) == []
    assert broken() == ["marts.retail.dim_a_v2: is in use, and no model makes it any more"]
