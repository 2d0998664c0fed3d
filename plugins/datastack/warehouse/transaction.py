"""One transaction with the warehouse, over ADBC."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from datastack.warehouse.load import WarehouseError


@contextmanager
def transaction(uri: str, doing: str) -> Iterator[Any]:
    """Open a cursor whose work commits at the end of the block, or not at all.

    :param uri: libpq address of the warehouse.
    :param doing: what is being done, for the error's text.
    :raises WarehouseError: if the warehouse refuses or fails. Nothing was changed then.
    """
    import adbc_driver_manager
    from adbc_driver_postgresql import dbapi

    try:
        with closing(dbapi.connect(uri)) as connection, closing(connection.cursor()) as db:
            yield db
            connection.commit()
    except adbc_driver_manager.Error as error:
        raise WarehouseError(f"{doing} failed; nothing was changed: {error}") from error
