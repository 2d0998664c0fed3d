"""Versions of rows (slowly changing dimensions, type 2): each with the time of its validity."""

from datastack.contract.sql import identifier, identifiers, sql
from datastack.warehouse import deletes, indexes
from datastack.warehouse.columns import brought, deleted_at, moment
from datastack.warehouse.deletes import TOUCHED
from datastack.warehouse.staging import Work

_VALIDITY = "datastack_validity"


def sort_in(work: Work, staged: str) -> int:
    """Add the versions that the table has not, exchange those that were read anew, and date those of the touched keys.

    :param staged: the load's versions, one for each key and cursor.
    :return: versions that the table took.
    """
    db, load = work.db, work.load
    key = load.contract.key
    parts = {
        "table": work.table.name,
        "staged": staged,
        "same_key": " and ".join(f"staged.{identifier(name)} = target.{identifier(name)}" for name in key),
        "valid_from": moment(load, load.stream.cursor or "", "staged"),
    }
    if not work.table.is_empty:
        db.execute(sql("postgres/scd2_drop_known", **parts, wins=wins(work, "staged", "target")))
        db.execute(sql("postgres/scd2_drop_replaced", **parts))
    _touch(work, staged)
    found = {"key": identifiers(key), "touched": TOUCHED, "validity": _VALIDITY}
    db.execute(sql("postgres/scd2_validity", **parts, **found, **_deletes(work)))
    marks = _marks(work)
    # What is current no more is closed before its successor comes; nothing else of a key is opened in its place.
    db.execute(sql("postgres/scd2_date", **parts, **marks, validity=_VALIDITY))
    columns = [*map(identifier, work.columns)]
    insert = sql(
        "postgres/scd2_insert",
        **parts,
        deleted=", _deleted_at" * bool(marks["deleted"]),
        new_deleted=marks["new_deleted"],
        columns=", ".join(columns),
        values=", ".join(f"staged.{name}" for name in columns),
        validity=_VALIDITY,
    )
    loaded = int(db.execute(insert).rowcount)
    if loaded:
        indexes.make(db, load, work.table)
    return loaded


def wins(work: Work, new: str, old: str) -> str:
    """SQL condition that a row of the load takes the place of another.

    That is: newer by cursor, else read later, else conformed later, else greater by bytes.
    """
    load, cursor = work.load, identifier(work.load.stream.cursor or "")
    values = [", ".join(f"{side}.{identifier(name)}" for name in brought(load)) for side in (new, old)]
    return sql(
        "postgres/wins",
        new_age=f"({new}.{cursor}, {new}._extracted_at)",
        old_age=f"({old}.{cursor}, {old}._extracted_at)",
        new_conformed_at=f"timestamptz '{(load.conformed_at or load.extracted_at).isoformat()}'",
        old_conformed_at=sql("ops/conformed_at", load_id=f"{old}._load_id"),
        new_values=values[0],
        old_values=values[1],
    )


def _touch(work: Work, staged: str) -> None:
    """List the keys whose versions are to be dated: those of the load, and those that were deleted or live again."""
    key = identifiers(work.load.contract.key)
    if work.load.compares_keys:
        work.db.execute(f"insert into {TOUCHED} select {key} from {staged}")  # noqa: S608 quoted
    else:
        work.db.execute(f"create temporary table {TOUCHED} on commit drop as select {key} from {staged}")  # noqa: S608
    work.db.execute(f"analyze {TOUCHED}")


def _deletes(work: Work) -> dict[str, str]:
    """How the time of deletion is found: a version's own, or that of its key, which counts for the last version."""
    load = work.load
    if load.compares_keys:
        return {
            "old_deleted_at": "gone._deleted_at",
            "new_deleted_at": "gone._deleted_at",
            "gone": f"inner join {deletes.names(load)['known']} as gone using ({identifiers(load.contract.key)})",
            "deleted_at": "case when next_from is null then own_deleted_at end",
            "next_deleted_at": "null",
        }
    own = {"old_deleted_at": "target._deleted_at", "new_deleted_at": deleted_at(load, "staged")}
    none = dict.fromkeys(own, "null::timestamptz")
    return (own if load.soft_delete else none) | {
        "gone": "",
        "deleted_at": "own_deleted_at",
        "next_deleted_at": "next_deleted_at",
    }


def _marks(work: Work) -> dict[str, str]:
    """Parts of the SQL templates that carry the time of deletion, empty for a stream without deletes."""
    if not work.load.has_deletes:
        return {"deleted": "", "old_deleted": "", "new_deleted": ""}
    return {
        "deleted": ", _deleted_at = validity.deleted_at",
        "old_deleted": ", target._deleted_at",
        "new_deleted": ", validity.deleted_at",
    }
