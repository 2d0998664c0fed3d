"""What dbt makes of the project for each dialect: every statement that it would send, without a warehouse."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.transform.manifest import Project
from datastack.transform.project_files import project_dir

TARGETS = {"postgres": "warehouse", "redshift": "redshift"}  # dialect: target in profiles.yml


@dataclass(frozen=True)
class Statement:
    """One statement, and the model, test or other work of dbt that sends it."""

    node: str
    sql: str


@dataclass(frozen=True)
class Compiled:
    """The project in one dialect: all statements, and the query of each model and test by its unique id."""

    dialect: str
    statements: tuple[Statement, ...]
    queries: dict[str, str]
    failures: tuple[DeclarationError, ...]


def compile_project(project: Project) -> tuple[Compiled, ...]:
    """Compile for every dialect, at the same time: some seconds. What does not compile is among ``failures``."""
    with tempfile.TemporaryDirectory() as folder:
        started = [(dialect, *_start(dialect, Path(folder))) for dialect in TARGETS]
        return tuple(_ended(project, dialect, process, file) for dialect, process, file in started)


def file_of(project: Project, node: str) -> Path:
    """Return the file that declares a model or test; the project's folder for other work of dbt."""
    found = project.manifest["nodes"].get(node)
    return project_dir() / found["original_file_path"] if found else project_dir()


def _start(dialect: str, folder: Path) -> tuple[subprocess.Popen[str], Path]:
    file = folder / f"{dialect}.json"
    command = [sys.executable, "-m", "datastack.transform.rehearse", TARGETS[dialect], dialect, str(file)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # what finds us finds it too
    output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env=environment, **output), file  # noqa: S603 our own arguments


def _ended(project: Project, dialect: str, process: subprocess.Popen[str], file: Path) -> Compiled:
    output, _ = process.communicate()
    if process.returncode or not file.exists():
        problem = f"dbt can't compile it for {dialect}: {output.strip()[-2000:]}"
        failure = DeclarationError(project_dir(), "(project)", problem, "Correct what it names.")
        return Compiled(dialect, (), {}, (failure,))
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    statements = dict.fromkeys(Statement(each["node"], _without_comment(each["sql"])) for each in found["statements"])
    failures = tuple(_failures(project, dialect, found["errors"]))
    return Compiled(dialect, tuple(statements), found["compiled"], failures)


def _failures(project: Project, dialect: str, errors: list[dict[str, str]]) -> Iterator[DeclarationError]:
    for error in errors:
        name = error["node"].split(".")[2] if error["node"] else "(project)"
        problem = f"dbt can't compile it for {dialect}: {error['message'].strip().rstrip('.')}"
        yield DeclarationError(file_of(project, error["node"]), name, problem, "Correct it.")


def _without_comment(sql: str) -> str:
    """Take off the comment that dbt puts before a statement, which names the connection and so differs each time."""
    return sql[sql.index("*/") + 2 :] if sql.lstrip().startswith("/* {") else sql
