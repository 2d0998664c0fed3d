"""Has dbt build the project on a connection that answers nothing, and writes down every statement that it sends.

``python -m datastack.transform.rehearse <target> <file>``, in a process of its own: it puts functions of its own in
place of the adapter's. So the project is compiled for a warehouse that isn't there, with all that materialisations make
of it: tables, views, increments, hooks, tests.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from datastack.transform.manifest import read_project
from datastack.transform.project_files import project_dir

_VERDICT = ("failures", "should_warn", "should_error")


class _Cursor:
    """A cursor that finds no rows; except the one row that every test expects, of no failures."""

    rowcount = 0
    statusmessage = "OK"

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send, self._rows = send, list[tuple[Any, ...]]()
        self.description: list[tuple[str, Any]] = []

    def execute(self, sql: str, bindings: object = None) -> None:
        self._send(sql)
        is_test = all(word in sql for word in _VERDICT)
        self.description = [(word, None) for word in _VERDICT] if is_test else []
        self._rows = [(0, False, False)] if is_test else []

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None

    def fetchmany(self, _size: int) -> list[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        """Nothing is open."""


class _Handle:
    """What stands for a driver's connection."""

    autocommit = False

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send

    def cursor(self) -> _Cursor:
        return _Cursor(self._send)

    def rollback(self) -> None:
        """Nothing was done."""

    close = commit = rollback


class Rehearsal:
    """What dbt sends for each node, with tables missing at first, and then with incremental ones in place."""

    def __init__(self, target: str, dialect: str) -> None:
        self._target, self._is_second = target, False
        self.statements: list[dict[str, Any]] = []
        self.errors: list[dict[str, str]] = []
        self.compiled: dict[str, str] = {}
        self._columns = {
            model.relation: [(column.name, column.type) for column in model.columns] for model in read_project().models
        }
        self._put_in_place(dialect)

    def run(self) -> None:
        """Build twice: all, as if there was nothing; then what is incremental, as if it was there."""
        with tempfile.TemporaryDirectory() as folder:
            self._invoke(folder, "build", "--exclude-resource-type", "unit_test")
            if not self.errors:
                self._note_compiled(folder)
                self._is_second = True
                self._invoke(folder, "run", "--select", "config.materialized:incremental")

    def _put_in_place(self, dialect: str) -> None:
        connections = import_module(f"dbt.adapters.{dialect}.connections")
        adapters = import_module(f"dbt.adapters.{dialect}.impl")
        name = dialect.capitalize()
        manager = getattr(connections, f"{name}ConnectionManager")
        adapter = getattr(adapters, f"{name}Adapter")
        manager.open = classmethod(lambda _class, connection: self._opened(connection))
        adapter.get_relation = lambda own, *names, **named: self._relation(own, *names, **named)
        adapter.get_columns_in_relation = lambda own, relation: self._columns_of(own, relation)
        adapter.get_column_schema_from_query = lambda *_: []

    def _opened(self, connection: Any) -> Any:
        connection.handle = _Handle(lambda sql: self._note(connection.name, sql))
        connection.state = "open"
        return connection

    def _note(self, node: str, sql: str) -> None:
        self.statements.append({"node": node, "sql": sql, "incremental": self._is_second})

    def _relation(self, adapter: Any, database: str, schema: str, identifier: str) -> Any:
        is_there = self._is_second and f"{schema}.{identifier}" in self._columns
        if not is_there:
            return None
        return adapter.Relation.create(database=database, schema=schema, identifier=identifier, type="table")

    def _columns_of(self, adapter: Any, relation: Any) -> list[Any]:
        identifier = relation.identifier.split("__dbt_tmp")[0]  # a temporary table has no schema
        named = (columns for name, columns in self._columns.items() if name.split(".")[1] == identifier)
        return [adapter.Column.create(*column) for column in next(named, ())]

    def _invoke(self, folder: str, *arguments: str) -> None:
        from dbt.cli.main import dbtRunner

        project = str(project_dir())
        where = ["--project-dir", project, "--profiles-dir", project, "--target", self._target]
        quiet = ["--log-level", "none", "--log-level-file", "none", "--no-use-colors"]
        done = dbtRunner().invoke([*arguments, *where, *quiet, "--target-path", folder, "--no-populate-cache"])
        if done.exception:
            self.errors.append({"node": "", "message": str(done.exception)})
        for result in getattr(done.result, "results", None) or ():
            if result.status in ("error", "fail", "runtime error", "partial success", "warn"):
                self.errors.append({"node": result.node.unique_id, "message": str(result.message or result.status)})

    def _note_compiled(self, folder: str) -> None:
        manifest = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
        self.compiled = {
            name: node["compiled_code"] for name, node in manifest["nodes"].items() if node.get("compiled_code")
        }


def main(target: str, dialect: str, file: Path) -> None:
    """Rehearse with a target of the profile, and write what came of it as JSON."""
    rehearsal = Rehearsal(target, dialect)
    rehearsal.run()
    found = {name: getattr(rehearsal, name) for name in ("statements", "errors", "compiled")}
    file.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
