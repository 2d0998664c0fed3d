"""Brings the publication before the last one back to its readers, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from datastack.contract.sql import identifier, identifiers, sql
from datastack.warehouse import kept, readers
from datastack.warehouse.exchange import Exchange, of
from datastack.warehouse.load import RunRef, WarehouseError
from datastack.warehouse.marts import KEPT, MARTS, Mart, Published, kept_schema, published_name
from datastack.warehouse.plan import lock_domain
from datastack.warehouse.publish import lock_tables
from datastack.warehouse.reshape import Reshaping, Shape, shape_of, swap
from datastack.warehouse.transaction import transaction


@dataclass(frozen=True)
class Rollback:
    """What is taken back, and what readers see then.

    :param restricted: tables that were restricted in the publication which stands then.
    :param warnings: what could not be tidied up, though the publication is taken back.
    """

    publication_id: int
    published_at: datetime
    previous_id: int
    marts: tuple[Published, ...]
    restricted: frozenset[str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Undo:
    """A mart's exchange that is taken back. ``shape`` is the one before it; None if nothing was changed."""

    domain: str
    published: Published
    shape: Shape | None

    @property
    def table(self) -> str:
        return self.published.table

    def place(self, what: str) -> str | None:
        """Quoted name of the table that keeps removed or added rows, or a copy; None if there is none."""
        name = self.published.kept.get(what)
        return identifier(kept_schema(self.domain), name) if name else None


def planned_rollback(uri: str, domain: str) -> Rollback:
    """Tell what :func:`roll_back` would take back now.

    :raises WarehouseError: if nothing can be taken back.
    """
    with transaction(uri, f"looking at the publications of {domain}") as db:
        return _last(db, domain)


def roll_back(uri: str, domain: str, publication_id: int, run: RunRef) -> Rollback | None:
    """Let readers see what they saw before the last publication that stands, and put the domain on hold.

    The loads that it held count as unpublished. Another run goes back one more; None if this one has done so before.

    :param uri: libpq address of the warehouse, as the transformer role.
    :param publication_id: what is to be taken back: the last that stands, or the rollback is refused.
    :raises WarehouseError: if nothing is kept of what it replaced, another was published since, or somebody else
        changed a mart. Readers keep the rows that they had.
    """
    doing = f"rolling {domain} back"
    with transaction(uri, doing) as guard:
        lock_domain(guard, domain)
        guard.execute("select 1 from ops.publications where domain = $1 and rolled_back_by = $2", (domain, _by(run)))
        if guard.fetchone():
            return None
        last = _last(guard, domain)
        if last.publication_id != publication_id:
            raise WarehouseError(
                f"rolling {domain} back: the last publication that stands is {last.publication_id}, not "
                f"{publication_id} as planned. Nothing was changed; trigger a new run, and look at what its plan says"
            )
        undone = [_undo(guard, domain, each) for each in last.marts]
        renamed = {each.table: Reshaping(uri, MARTS, each.table).expand(each.shape) for each in undone if each.shape}
        with transaction(uri, doing, one_snapshot=True) as db:
            lock_tables(db, [published_name(each.table) for each in undone], "share row exclusive")
            for each in undone:
                _take_back(db, each, renamed.get(each.table, {}))
                if each.table in last.restricted:  # its columns come back for those readers only who had them
                    readers.grant(db, Mart(each.table, is_restricted=True))
            _record(db, domain, last, run)
            kept.drop(db, domain, (name for each in last.marts for name in each.kept.values()))
            swap(db, [Reshaping(uri, MARTS, each.table) for each in undone], renamed)
        warnings = [_contracted(uri, each) for each in undone]
    return replace(last, warnings=tuple(filter(None, warnings)))


def _last(db: Any, domain: str) -> Rollback:
    """The publication to take back, and the one before it."""
    db.execute(sql("ops/standing_publications"), (domain, 2))
    found = db.fetchall()
    if len(found) < 2 or not found[0][2]:
        what = f"publication {found[0][0]} is the last that stands, and" if found else "no publication stands:"
        raise WarehouseError(
            f"rolling {domain} back: {what} nothing is kept to go back to; what the last {KEPT} publications replaced "
            "is, and the first one replaced nothing. Nothing was changed; mend what is wrong, and trigger the "
            "transform with full_refresh"
        )
    (publication_id, tables, _, published_at, _), previous = found
    marts = tuple(Published(**each) for each in tables)
    restricted = frozenset(each["table"] for each in previous[1] if each.get("is_restricted"))
    return Rollback(publication_id, published_at, previous[0], marts, restricted)


def _undo(db: Any, domain: str, published: Published) -> _Undo:
    """What is kept of an exchange; its columns tell the shape that the mart had."""
    shape = None
    for name in published.kept.values():
        shape = shape_of(db, identifier(kept_schema(domain), name))
        if shape is None:
            raise WarehouseError(
                f"rolling {domain} back: {kept_schema(domain)}.{name}, which keeps what marts.{published.table} was, "
                "is gone. Nothing was changed; mend what is wrong, and trigger the transform with full_refresh"
            )
    return _Undo(domain, published, shape)


def _take_back(db: Any, undo: _Undo, renamed: Mapping[str, str]) -> None:
    if undo.published.is_new or undo.shape is None:
        return
    target, columns, done = published_name(undo.table), list(undo.shape), undo.published
    if copy := undo.place("copy"):
        exchange = Exchange(copy, target, columns, renamed=renamed)
        exchange.delete(db, None)
        exchange.insert(db, None)
        exchange.require_equal(db)
    elif renamed:
        raise _changed(undo.table, f"{', '.join(renamed)} took another type")
    else:
        _exchange_back(db, undo, target, columns)
        db.execute(f"select count(*) from {target}")  # noqa: S608 quoted
        if (found := db.fetchone()[0]) != (wanted := done.rows + done.deleted - done.inserted):
            raise _changed(undo.table, f"it would have {found} rows instead of {wanted}")
    db.execute(f"analyze {target}")


def _exchange_back(db: Any, undo: _Undo, target: str, columns: list[str]) -> None:
    """Take out the rows that were added, and bring in those that were removed."""
    if added := undo.place("added"):
        parts = {"published_columns": of("published", columns), "added_columns": of("added", columns)}
        taken = db.execute(sql("postgres/undo_delete", published=target, added=added, **parts)).rowcount
        if taken != undo.published.inserted:
            raise _changed(undo.table, f"it has {taken} of the {undo.published.inserted} rows that were brought in")
    if removed := undo.place("removed"):
        names = identifiers(columns)
        db.execute(f"insert into {target} ({names}) select {names} from {removed}")  # noqa: S608 quoted


def _changed(table: str, what: str) -> WarehouseError:
    return WarehouseError(
        f"marts.{table} was changed since it was published: {what}. Nothing was rolled back; mend what is wrong, and "
        "trigger the transform with full_refresh"
    )


def _record(db: Any, domain: str, last: Rollback, run: RunRef) -> None:
    by = _by(run)
    values = (by, last.publication_id)
    statement = "update ops.publications set kept = false, rolled_back_at = clock_timestamp(), rolled_back_by = $1"
    db.execute(f"{statement} where publication_id = $2", values)
    db.execute("delete from ops.plans where domain = $1", (domain,))
    db.execute(sql("ops/hold"), (domain, f"publication {last.publication_id} was rolled back", by))


def _by(run: RunRef) -> str:
    return f"{run.dag_id} {run.run_id}"


def _contracted(uri: str, undo: _Undo) -> str | None:
    """Drop columns and tables that only the rolled-back publication had; it is taken back, so only tell if it fails."""
    reshaping = Reshaping(uri, MARTS, undo.table)
    try:
        if undo.published.is_new:
            reshaping.drop()
        elif undo.shape:
            reshaping.contract(undo.shape)
    except WarehouseError as error:
        return f"the publication is taken back, but: {error}"
    return None
