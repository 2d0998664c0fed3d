"""A table of the shop's database with columns of any types, moved under a contract written for it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from datastack.contract.registry import load_source
from tests.integration.harness import ROOT, Stack

RAW = "raw_retail_db.things"
WINDOW = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
Columns = Mapping[str, tuple[str, str]]


class Things:
    """The table ``things`` of a schema of its own: made, filled and moved.

    :param folder: an empty one, for declarations.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self._folder = stack, folder
        (folder / "sources").mkdir()
        (folder / "contracts" / "retail_db").mkdir(parents=True)
        (folder / "sql").symlink_to(ROOT / "include" / "sql")

    def make(self, columns: Columns, table: str = "things") -> None:
        """Make the table and its contract.

        :param columns: by name at the source: type there, and in the contract. Contracts call them c0, c1, …
        """
        self._columns, self._table = dict(columns), f'types."{table.replace(chr(34), chr(34) * 2)}"'
        listed = ", ".join(f"{quoted(name)} {kind}" for name, (kind, _) in columns.items())
        self.stack.shop(f"drop table if exists {self._table}; create table {self._table} ({listed})")
        self.stack.shop(f"grant select on {self._table} to public")
        self.declare({name: wanted for name, (_, wanted) in columns.items()}, table)

    def declare(
        self, wanted: Mapping[str, str], table: str = "things", drift: str = "discard", rejected: int = 0
    ) -> None:
        """Write the contract: types by names at the source, and how many rows may go to quarantine."""
        properties = [
            {
                "name": f"c{at}",
                "physicalType": kind,
                "logicalType": "string",
                "description": name,
                "customProperties": [{"property": "path", "value": name}],
            }
            for at, (name, kind) in enumerate(wanted.items())
        ]
        rows = {"metric": "rowCount", "mustBeGreaterOrEqualTo": 1}
        schema = {"name": "things", "logicalType": "object", "dataGranularityDescription": "g", "quality": [rows]}
        tolerance = {"rows": rejected, "share": 1.0}
        contract = {
            "apiVersion": "v3.1.0", "kind": "DataContract", "id": "things", "name": "things", "version": "1.0.0",
            "status": "active", "description": {"purpose": "p"}, "team": {"name": "t"},
            "customProperties": [{"property": "drift", "value": drift}, {"property": "quarantine", "value": tolerance}],
            "schema": [schema | {"properties": properties}],
        }  # fmt: skip
        source = yaml.safe_load((ROOT / "include" / "sources" / "retail_db.yml").read_text())
        source["streams"] = {"things": {"table": f"types.{table}", "write": "replace"}}
        files = {"sources/retail_db.yml": source, "contracts/retail_db/things.odcs.yaml": contract}
        for name, content in files.items():
            (self._folder / name).write_text(yaml.safe_dump(content))
        load_source.cache_clear()

    def fill(self, rows: Sequence[Sequence[str | None]]) -> None:
        """Add rows, all values as text."""
        if rows:
            into = f"{self._table} ({', '.join(map(quoted, list(self._columns)[: len(rows[0])]))})".replace("%", "%%")
            marks = ", ".join(["%s"] * len(rows[0]))
            with self.stack.source.connect("retail_db") as db, db.cursor() as cursor:
                cursor.executemany(f"insert into {into} values ({marks})", rows)

    def move(self) -> dict[str, Any]:
        """Move the table."""
        return self.stack.move("retail_db", "things", WINDOW)

    def load(self) -> dict[str, Any]:
        """Extract the table into the lake, and load what stands there."""
        return self.stack.load("retail_db", "things", WINDOW)

    def sent(self, where: str = "true") -> list[tuple[str | None, ...]]:
        """Return the source's rows as text, in order."""
        listed = ", ".join(text(name, kind) for name, (kind, _) in self._columns.items())
        return in_order(self.stack.shop(f"select {listed} from {self._table} where {where}"))

    def arrived(self) -> list[tuple[str | None, ...]]:
        """Return the warehouse's rows as text, in order."""
        listed = ", ".join(f"c{at}::text" for at in range(len(self._columns)))
        return in_order(self.stack.rows(f"select {listed} from {RAW}"))


@contextmanager
def things_of(stack: Stack, folder: Path) -> Iterator[Things]:
    """Give the table; afterwards it is gone."""
    stack.shop("drop schema if exists types cascade; create schema types; grant usage on schema types to public")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATASTACK_INCLUDE", str(folder))
        try:
            yield Things(stack, folder)
        finally:
            load_source.cache_clear()
            stack.shop("drop schema types cascade")


def quoted(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def text(name: str, kind: str) -> str:
    """SQL of a column's value as text; the blanks of char(n) would be lost by a cast."""
    name = quoted(name)
    return f"case when {name} is not null then concat({name}) end" if kind.startswith("char(") else f"{name}::text"


def in_order(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in some order that both sides agree on."""
    return sorted(rows, key=repr)
