"""What publishing and rolling back share: marts, what became of each, and where the undo of it is kept."""

from dataclasses import asdict, dataclass, field
from typing import Any

from datastack.contract.sql import identifier
from datastack.warehouse.load import WarehouseError

MARTS = "marts"
KEPT = 3  # publications of a domain that can be rolled back
_LONGEST_NAME = 63


def build_schema(domain: str) -> str:
    """Warehouse schema where dbt builds a domain's marts, out of the consumers' sight."""
    return f"build_{domain}"


def kept_schema(domain: str) -> str:
    """Warehouse schema where a domain's publications keep what they replaced, out of the consumers' sight."""
    return f"kept_{domain}"


@dataclass(frozen=True)
class MartSlices:
    """A mart of which only slices are exchanged: those of a stream, by one of the mart's own columns."""

    source: str
    stream: str
    column: str


@dataclass(frozen=True)
class Mart:
    """A table to publish.

    :param table: its name, where it is built and where it is published.
    :param is_restricted: whether only who was granted the right by an administrator reads it.
    :param slices: None if it is compared whole.
    """

    table: str
    is_restricted: bool = False
    slices: MartSlices | None = None


@dataclass(frozen=True)
class Published:
    """One mart's exchange: rows now, rows taken out, rows brought in.

    ``how`` is ``whole`` or ``slices``, after what was compared, or ``replaced``, if the table is new or has other
    columns than before. ``kept`` names tables in the domain's kept schema, by what they hold: rows ``removed`` and
    ``added``, or a whole ``copy`` of the table as it was. ``is_restricted`` says who may read it, as for :class:`Mart`.
    ``columns`` are those that readers are to see, in the order in which they were built.
    """

    table: str
    rows: int
    deleted: int
    inserted: int
    how: str
    is_new: bool = False
    kept: dict[str, str] = field(default_factory=dict)
    is_restricted: bool = False
    columns: list[str] = field(default_factory=list)

    def entry(self) -> dict[str, Any]:
        """What the ledger says of it."""
        return asdict(self)


def kept_name(publication_id: int, table: str, what: str) -> str:
    """Name of a table with what a publication replaced.

    :raises WarehouseError: if it is too long for Postgres, which would cut it.
    """
    name = f"p{publication_id}_{what}_{table}"
    if len(name.encode()) > _LONGEST_NAME:
        raise WarehouseError(
            f"the table {name}, with what a rollback needs, would have a name of more than {_LONGEST_NAME} bytes. Give "
            f"the model {table} a shorter name"
        )
    return name


def published_name(table: str) -> str:
    """Quoted name of a published table."""
    return identifier(MARTS, table)
