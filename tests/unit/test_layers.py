"""Imports go one way, and what is below the operators knows no Airflow."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plugins" / "datastack"
ENGINE = {"codec", "contract", "source", "lake", "warehouse", "quality", "lineage", "transform"}
MAY_IMPORT = {
    "codec": set(),
    "contract": {"codec"},
    "source": {"codec", "contract"},
    "lake": {"codec", "contract"},
    "warehouse": {"codec", "contract"},
    "quality": {"contract"},
    "lineage": {"contract"},
    "transform": {"contract"},
    "operators": ENGINE,
    "pipelines": {"contract", "operators", "transform"},
    "ui": {"lake", "operators"},
}


def imports(file: Path) -> set[str]:
    """Every module that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} imports relatively: this test would not see where from"
            found.add(node.module or "")
    return found


def layers_of(modules: set[str]) -> set[str]:
    """Layers of the package that modules belong to."""
    return {module.split(".")[1] for module in modules if module.startswith("datastack.")}


def test_every_layer_has_its_rule():
    assert {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()} == set(MAY_IMPORT)


@pytest.mark.parametrize("layer", sorted(MAY_IMPORT))
def test_a_layer_imports_only_what_is_below(layer: str):
    files = sorted((PACKAGE / layer).rglob("*.py"))
    assert len(files) > 1
    for file in files:
        assert layers_of(imports(file)) <= MAY_IMPORT[layer] | {layer}, file
        if layer in ENGINE:
            assert not {module for module in imports(file) if module.split(".")[0] == "airflow"}, file


def test_dags_wire_pipelines():
    files = sorted((ROOT / "dags").rglob("*.py"))
    assert files
    for file in files:
        assert layers_of(imports(file)) <= {"contract", "pipelines"}, file


def test_nothing_that_is_deployed_imports_the_demo():
    deployed = [*PACKAGE.rglob("*.py"), *(ROOT / "dags").rglob("*.py")]
    assert len(deployed) > 30
    for file in deployed:
        assert "local" not in {module.split(".")[0] for module in imports(file)}, file
