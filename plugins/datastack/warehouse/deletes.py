"""Deletes by comparison: which keys the source has, and since when it has those no more that it had.

A companion of the raw table lists every key that was ever seen, with the time at which it was first missed since it
was last seen. Key lists may arrive in any order. What holds between two of them in time, T before N, with none between:
a key that was deleted at N was seen at T, or later in a list that is not there yet. So a late list of a time between
them decides about such keys alone, and about keys alive only if it is the newest.
"""

from datastack.contract.sql import identifier, identifiers, sql
from datastack.warehouse.catalogue import found_columns
from datastack.warehouse.copy_in import ingest
from datastack.warehouse.load import Load, WarehouseError, derived
from datastack.warehouse.staging import Work, create_temporary

TOUCHED = "datastack_touched"
_LISTED = "datastack_listed"


def names(load: Load) -> dict[str, str]:
    """Parts of the SQL templates that compare keys."""
    key = load.contract.key
    return {
        "known": identifier(load.schema_name, derived(f"_{load.contract.stream}", "keys")),
        "listed": _LISTED,
        "touched": TOUCHED,
        "key": identifiers(key),
        "same_key": " and ".join(f"known.{identifier(name)} = listed.{identifier(name)}" for name in key),
        "row_key": " and ".join(f"target.{identifier(name)} = known.{identifier(name)}" for name in key),
        "of_stream": "source = $2 and stream = $3 and compared_keys is not null",
    }


def compare(work: Work, staged: str) -> None:
    """Learn from the source's keys which were deleted, and which live again; list those in ``TOUCHED``.

    Rows that are replayed come without a list: their own keys were seen, and of others nothing is learnt.

    :param staged: the load's rows: their keys count as seen too.
    :raises WarehouseError: if the load has no keys with it.
    """
    db, load, parts = work.db, work.load, names(work.load)
    is_list = load.replay_of is None
    if work.keys is None and is_list:
        raise WarehouseError(
            f"loading {load}: its deletes are found by key, but no keys were read. Nothing was changed; clear the "
            "task that extracts it to read them with the rows"
        )
    types = {name: work.table.columns[name] for name in load.contract.key}
    is_new = _make_known(work, types, parts)
    create_temporary(db, TOUCHED, types)
    create_temporary(db, _LISTED, types)
    if work.keys is not None:
        ingest(db, work.keys, _LISTED)
    db.execute(f"insert into {_LISTED} select {parts['key']} from {staged}")  # noqa: S608 quoted
    db.execute(f"analyze {_LISTED}")
    values = (load.extracted_at, load.contract.source, load.contract.stream)
    for step in (*["keys_missed"] * is_list, "keys_back", "keys_new"):
        db.execute(sql(f"postgres/{step}", **parts), values)
    if is_new:
        db.execute(f"alter table {parts['known']} add primary key ({parts['key']})")


def _make_known(work: Work, types: dict[str, str], parts: dict[str, str]) -> bool:
    """Make the companion, or give its key the types that the raw table's has now; return whether it is new."""
    db, known = work.db, parts["known"]
    found = found_columns(db, known)
    if not found:
        columns = ", ".join(f"{identifier(name)} {kind}" for name, kind in types.items())
        db.execute(f"create table {known} ({columns}, _deleted_at timestamptz)")
        if not work.table.is_empty:
            seed = f"select distinct {parts['key']} from {work.table.name}"  # noqa: S608 quoted
            db.execute(f"insert into {known} {seed}")
        return True
    for name, kind in types.items():
        if found[name][0] != kind:
            db.execute(f"alter table {known} alter column {identifier(name)} type {kind}")
    return False
