"""One transaction with the warehouse."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from datastack.contract.sql import sql
from datastack.warehouse.load import WarehouseError

CONNECT_SECONDS = 30
# A peer that vanished is noticed after a minute and a half, on either side: see postgres/session.sql for the server's.
KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 90_000,
}


@contextmanager
def transaction(uri: str, doing: str, *, one_snapshot: bool = False) -> Iterator[Any]:
    """Open a cursor whose work commits at the end of the block, or not at all; its parameters are ``$1``, ``$2``.

    :param uri: libpq address of the warehouse.
    :param doing: what is being done, for the error's text.
    :param one_snapshot: whether all statements see the tables as they are at the first one that is not ``lock table``.
    :raises WarehouseError: if the warehouse refuses or fails. Nothing was changed then.
    """
    import psycopg

    committing = False
    try:
        with closing(psycopg.connect(uri, connect_timeout=CONNECT_SECONDS, **KEEPALIVE)) as connection:
            db = psycopg.RawCursor(connection)
            db.execute(sql("postgres/session"))
            if one_snapshot:
                connection.commit()  # what was executed so far would have taken the snapshot
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield db
            committing = True
            connection.commit()
    except psycopg.Error as error:
        if committing:
            raise WarehouseError(
                f"{doing}: the connection broke while it was committed, so it may be done or undone, but not in part: "
                f"{_text(error)}. The next try finds out and does what is missing"
            ) from error
        raise WarehouseError(
            f"{doing} failed; nothing was changed: {_text(error)}. The next try does it again; if it "
            "fails so again, see whether the warehouse is up and the connection's role may do this"
        ) from error


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
