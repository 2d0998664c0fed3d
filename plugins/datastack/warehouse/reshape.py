"""Changes the columns of published tables under their readers: never a wait behind a reader, never a false row.

A table that is replaced, or rewritten by ``alter table``, is empty to whoever reads by an older snapshot. So columns
are added before an exchange of rows and dropped after it, and a column takes another type by way of a new one, which
takes its place at the end of the exchange.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datastack.contract.sql import identifier, sql
from datastack.warehouse import views
from datastack.warehouse.load import WarehouseError
from datastack.warehouse.transaction import transaction

Shape = dict[str, str]  # types by column, in order

_LOCK_MS = 50  # a lock that waits makes new readers wait behind it
_PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 300.0
_NEXT = "__next"


def shape_of(db: Any, table: str) -> Shape | None:
    """Columns of a table, given by its quoted name, with their types; None if there is no such table."""
    db.execute(sql("postgres/raw_columns"), (table,))
    return {row[0]: row[1] for row in db.fetchall()} or None


@dataclass(frozen=True)
class Reshaping:
    """A published table that is to have other columns.

    :param uri: libpq address of the warehouse, as the tables' owner.
    :param schema: schema of the table; readers know it.
    """

    uri: str
    schema: str
    table: str

    @property
    def name(self) -> str:
        """Quoted name of the table."""
        return identifier(self.schema, self.table)

    def expand(self, wanted: Shape) -> dict[str, str]:
        """Give the table every wanted column, rows as they are; others stay until :meth:`contract`.

        Return the columns that have another type than wanted, each with the name of one that has it, filled: for
        :func:`swap`.

        :raises WarehouseError: if values don't fit their column's new type, or readers don't let go of the table in
            time. Rows are as they were.
        """
        found = self._shape() or {}
        for column in found:
            if column.endswith(_NEXT):
                self._drop([column])
        missing = {column: kind for column, kind in wanted.items() if column not in found}
        other = {column: kind for column, kind in wanted.items() if found.get(column, kind) != kind}
        if missing:
            added = ", ".join(f"add column {identifier(column)} {kind}" for column, kind in missing.items())
            self._alter(lambda db: db.execute(f"alter table {self.name} {added}"))
        if other:
            self._fill(other)
        return {column: column + _NEXT for column in other}

    def contract(self, wanted: Collection[str]) -> None:
        """Drop the columns that are not wanted.

        :raises WarehouseError: if readers don't let go of the table in time, or something depends on a column.
        """
        if dropped := [column for column in self._shape() or {} if column not in wanted]:
            self._drop(dropped)

    def drop(self) -> None:
        """Drop the table, and its view.

        :raises WarehouseError: if readers don't let go of it in time.
        """

        def work(db: Any) -> None:
            views.drop(db, self.table)
            db.execute(f"drop table if exists {self.name}")

        self._at_once(work)

    def show(self) -> None:
        """Give the table's view its columns, if it has a view."""
        with transaction(self.uri, self._doing) as db:
            if views.is_current(db, self.schema, self.table):
                return
        self._alter(lambda _: None)

    def _fill(self, kinds: Shape) -> None:
        """Add a filled column of the new type for each old one."""
        new = {column: identifier(column + _NEXT) for column in kinds}
        added = ", ".join(f"add column {new[column]} {kind}" for column, kind in kinds.items())
        filled = ", ".join(f"{new[column]} = {identifier(column)}::{kind}" for column, kind in kinds.items())
        self._alter(lambda db: db.execute(f"alter table {self.name} {added}"))
        try:
            with transaction(
                self.uri, f"{self._doing}: bringing {', '.join(kinds)} to {', '.join(kinds.values())}"
            ) as db:
                db.execute(f"update {self.name} set {filled}")  # noqa: S608 quoted
                db.execute("select pg_current_xact_id()::text")
                transaction_id = db.fetchone()[0]
        except WarehouseError as error:
            self._drop([column + _NEXT for column in kinds])
            raise WarehouseError(
                f"{error}. If values can't take the new type, give the model a new version instead, which is a table "
                f"of its own; or, if nobody needs the old table, drop {self.name} by hand and publish again"
            ) from error
        # Readers whose snapshot is older would find the new column empty.
        self._wait_for_snapshots(transaction_id)

    def _drop(self, columns: list[str]) -> None:
        dropped = ", ".join(f"drop column {identifier(column)}" for column in columns)
        self._alter(lambda db: db.execute(f"alter table {self.name} {dropped}"))

    def _alter(self, work: Callable[[Any], Any]) -> None:
        """Change the table, and its view with it."""
        self._at_once(lambda db: self._with_view(db, work))

    def _with_view(self, db: Any, work: Callable[[Any], Any]) -> None:
        grants = views.grants(db, self.table)
        views.drop(db, self.table)
        work(db)
        views.create(db, self.schema, self.table, grants)

    def take_over(self, db: Any, renamed: Mapping[str, str]) -> None:
        """Put columns in the place of others, in a transaction that has locked the table."""

        def work(db: Any) -> None:
            for column, name in renamed.items():
                db.execute(f"alter table {self.name} drop column {identifier(column)}")
                db.execute(f"alter table {self.name} rename column {identifier(name)} to {identifier(column)}")

        self._with_view(db, work)

    def _at_once(self, work: Callable[[Any], None]) -> None:
        """Work in a short transaction that gives up rather than let readers wait, again and again."""
        from psycopg.errors import LockNotAvailable

        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with transaction(self.uri, self._doing) as db:
                    db.execute(f"set local lock_timeout = {_LOCK_MS}")
                    return work(db)
            except WarehouseError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                if time.monotonic() > until:
                    raise self.impatient(self.holders()) from error
            time.sleep(_PAUSE_SECONDS)

    def _wait_for_snapshots(self, transaction_id: str) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        sessions = set(self._asked("postgres/old_snapshots", transaction_id))
        while sessions:
            if time.monotonic() > until:
                raise self.impatient(sorted(sessions))
            time.sleep(_PAUSE_SECONDS)
            # Who was seen without a snapshot takes a new one, even if it looks old as others still write.
            sessions.intersection_update(self._asked("postgres/old_snapshots", transaction_id))

    def holders(self) -> list[str]:
        """Sessions of other roles that use the table."""
        return self._asked("postgres/lock_holders", self.name)

    def impatient(self, sessions: list[str]) -> WarehouseError:
        """What to say when readers did not let go of the table."""
        return WarehouseError(
            f"{self._doing}: sessions have read without a pause for {PATIENCE_SECONDS:.0f} s: "
            f"{', '.join(sessions) or 'they have ended just now'}. Readers keep the rows that they had; ask them to "
            "end their transactions, or end them (select pg_terminate_backend(pid)), and clear this task"
        )

    def _asked(self, name: str, value: str) -> list[str]:
        with transaction(self.uri, self._doing) as db:
            db.execute(sql(name), (value,))
            return [row[0] for row in db.fetchall()]

    def _shape(self) -> Shape | None:
        with transaction(self.uri, self._doing) as db:
            return shape_of(db, self.name)

    @property
    def _doing(self) -> str:
        return f"changing the columns of {self.schema}.{self.table}"


def swap(db: Any, tables: Sequence[Reshaping], renamed: Mapping[str, Mapping[str, str]]) -> None:
    """Let filled columns take over, as the last act of an exchange of rows.

    A cast may round, so no reader may have seen another of the tables before: all of them are locked, for a moment.

    :param tables: all tables of the exchange.
    :param renamed: by table, what :meth:`Reshaping.expand` has returned.
    :raises WarehouseError: if readers don't let go of the tables in time.
    """
    from psycopg.errors import LockNotAvailable

    if not any(renamed.values()):
        return
    until = time.monotonic() + PATIENCE_SECONDS
    names = ", ".join(sorted(table.name for table in tables))
    while True:
        db.execute("savepoint swap")
        try:
            db.execute(f"set local lock_timeout = {_LOCK_MS}")
            db.execute(f"lock table {names} in access exclusive mode")
            for table in tables:
                if found := renamed.get(table.table):
                    table.take_over(db, found)
            return
        except LockNotAvailable as error:
            db.execute("rollback to savepoint swap")
            if time.monotonic() > until:
                sessions = {each for table in tables for each in table.holders()}
                raise tables[0].impatient(sorted(sessions)) from error
        time.sleep(_PAUSE_SECONDS)
