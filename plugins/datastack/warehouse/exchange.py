"""Makes a published table equal another one, by rows: readers keep theirs until the transaction commits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datastack.contract.sql import identifier, identifiers, sql
from datastack.warehouse.load import WarehouseError
from datastack.warehouse.marts import MartSlices

_EVERYTHING = "true"


@dataclass(frozen=True)
class Exchange:
    """A published table, and the one that it is to equal.

    :param built: quoted name of the table with the wanted rows.
    :param published: quoted name of the table that readers know; it has all columns of the other.
    :param columns: the columns that are compared.
    :param domain: whose planned slices they are.
    :param slices: compare only rows inside planned slices; None for all.
    :param renamed: columns that have another name in the published table, for now.
    """

    built: str
    published: str
    columns: list[str]
    domain: str = ""
    slices: MartSlices | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    def delete(self, db: Any, kept: str | None) -> int:
        """Take out rows that the built table does not have; return how many.

        :param kept: quoted name of a table that keeps them.
        """
        return self._change(db, sql("postgres/publish_delete", **self._parts()), kept, of("published", self._published))

    def insert(self, db: Any, kept: str | None) -> int:
        """Bring in rows that only the built table has; return how many.

        :param kept: quoted name of a table that keeps them.
        """
        return self._change(db, sql("postgres/publish_insert", **self._parts()), kept, identifiers(self._published))

    def require_equal(self, db: Any) -> int:
        """Compare the numbers of rows; return the number.

        :raises WarehouseError: if they differ: equal rows are one row to a comparison, and rows outside of the slices
            were not compared.
        """
        db.execute(f"select (select count(*) from {self.built}), (select count(*) from {self.published})")  # noqa: S608
        wanted, found = (int(rows) for rows in db.fetchone())
        if wanted == found:
            return found
        outside = (
            "Or rows outside of the planned slices were changed: trigger the run with full_refresh. "
            if self.slices
            else ""
        )
        raise WarehouseError(
            f"{self.built} has {wanted} rows, but {found} came to {self.published}; nothing was changed. "
            f"{outside}Some of its rows are equal: give the model a key, or select distinct rows"
        )

    def _change(self, db: Any, statement: str, kept: str | None, returned: str) -> int:
        if kept:
            columns = identifiers(self._published)
            db.execute(f"create table {kept} as select {columns} from {self.published} with no data")  # noqa: S608 quoted
            statement = sql("postgres/keeping", change=statement, returned=returned, kept=kept, columns=columns)
        return int(db.execute(statement).rowcount)

    @property
    def _published(self) -> list[str]:
        return [self.renamed.get(column, column) for column in self.columns]

    def _parts(self) -> dict[str, str]:
        return {
            "built": self.built,
            "published": self.published,
            "columns": identifiers(self._published),
            "built_columns": of("built", self.columns),
            "published_columns": of("published", self._published),
            "inside_built": self._inside("built"),
            "inside_published": self._inside("published"),
        }

    def _inside(self, alias: str) -> str:
        if self.slices is None:
            return _EVERYTHING
        return sql(
            "postgres/inside_slices",
            column=identifier(alias, self.slices.column),
            domain=_text(self.domain),
            source=_text(self.slices.source),
            stream=_text(self.slices.stream),
        )


def of(alias: str, columns: list[str]) -> str:
    """Name columns of an aliased table, separated by commas."""
    return ", ".join(identifier(alias, column) for column in columns)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
