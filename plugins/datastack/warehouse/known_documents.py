"""Which documents a raw table has."""

from datastack.contract.sql import identifier, sql
from datastack.warehouse.catalogue import found_columns
from datastack.warehouse.load import raw_schema
from datastack.warehouse.transaction import transaction


def known_documents(uri: str, source: str, stream: str) -> dict[str, str]:
    """Ask which documents are in a raw table and not deleted: keys, each with the etag of its current version.

    :param uri: libpq address of the warehouse.
    :raises WarehouseError: if the warehouse fails.
    """
    table = identifier(raw_schema(source), stream)
    with transaction(uri, f"reading which documents of {source}.{stream} are known") as db:
        columns = found_columns(db, table)
        if not columns:
            return {}
        live = (
            "_is_current" if "_is_current" in columns else "_deleted_at is null" if "_deleted_at" in columns else "true"
        )
        db.execute(sql("postgres/known_documents", table=table, live=live))
        return dict(db.fetchall())
