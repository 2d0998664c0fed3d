"""The whole project is compiled for both dialects where there is no warehouse: models, increments, hooks and tests."""

import pytest

from datastack.transform.compiled import TARGETS, Compiled, compile_project
from datastack.transform.dialects import dialect_failures
from datastack.transform.manifest import Project, read_project


@pytest.fixture(scope="module")
def project() -> Project:
    return read_project()


@pytest.fixture(scope="module")
def compiled(project: Project) -> dict[str, Compiled]:
    return {each.dialect: each for each in compile_project(project)}


@pytest.mark.parametrize("dialect", TARGETS)
def test_every_model_and_test_is_compiled(project: Project, compiled: dict[str, Compiled], dialect: str):
    assert compiled[dialect].failures == ()
    nodes = {name for name, node in project.manifest["nodes"].items() if node["resource_type"] in ("model", "test")}
    assert len(nodes) > 50
    assert nodes <= {statement.node for statement in compiled[dialect].statements}
    assert {model.unique_id for model in project.models} <= set(compiled[dialect].queries)
    assert list(dialect_failures(project, compiled[dialect])) == []


@pytest.mark.parametrize("dialect", TARGETS)
def test_an_increment_is_compiled_as_well_as_a_first_build(
    project: Project, compiled: dict[str, Compiled], dialect: str
):
    models = [model for model in project.models if model.materialized == "incremental"]
    assert models
    for model in models:
        sent = [each.sql.strip() for each in compiled[dialect].statements if each.node == model.unique_id]
        assert any("delete from" in sql for sql in sent)
        assert any(sql.startswith("analyze") for sql in sent)
        assert all(column.name in " ".join(sql for sql in sent if "insert into" in sql) for column in model.columns)
