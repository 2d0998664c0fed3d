"""What the warehouse knows of a document: the columns that a contract of a document stream is made of."""

from pathlib import Path

from datastack.contract.errors import DeclarationError
from datastack.contract.model import Contract

DOCUMENT_COLUMNS = {
    "key": "text",  # below the source's folder
    "media_type": "text",  # by the content
    "media_type_claimed": "text",  # by the store
    "bytes": "bigint",
    "sha256": "text",
    "etag": "text",  # the store's mark of the version
    "modified_at": "timestamptz",
    "lake_key": "text",  # of the copy
    "metadata": "jsonb",  # the store's, by who put it there
}
_NEEDED = ("key", "etag", "modified_at")  # to tell which versions are there already


def check_document_contract(file: Path, stream: str, contract: Contract) -> None:
    """See that a contract promises what can be known of a document.

    :param file: the source file.
    :raises DeclarationError: naming the column.
    """
    for column in contract.columns:
        field = f"schema.properties.{column.name}"
        kind = DOCUMENT_COLUMNS.get(column.name)
        if kind is None or column.path != column.name:
            remedy = f"Use some of {', '.join(DOCUMENT_COLUMNS)}."
            raise DeclarationError(contract.file, field, "a document has no such column", remedy)
        if column.type != kind:
            raise DeclarationError(contract.file, field, f"is {column.type}, not {kind}", "Correct its physicalType.")
    missing = [name for name in _NEEDED if name not in {column.name for column in contract.columns}]
    if missing or contract.key != ("key",):
        problem = f"{', '.join(missing)} missing" if missing else f"the primary key is {', '.join(contract.key)}"
        remedy = f"Declare {', '.join(_NEEDED)}, and key as the primary key: versions are told apart by them."
        raise DeclarationError(contract.file, "schema.properties", f"{file.name}, {stream}: {problem}", remedy)
