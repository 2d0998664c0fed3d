"""Columns as a file names them."""

from collections import Counter
from collections.abc import Sequence

from datastack.contract.model import Contract
from datastack.source.formats.stream import Stream


def named(stream: Stream, header: Sequence[str]) -> list[str]:
    """Names by a header, without blanks around them; a column without one is named for its place.

    :raises FormatError: if a name is there twice.
    """
    names = [name.strip() or f"column_{place}" for place, name in enumerate(header, 1)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise stream.fail(f"names column {repeated[0]!r} more than once: which of them is meant can't be told")
    return names


def check_columns(stream: Stream, names: Sequence[str], contract: Contract) -> None:
    """See that every column is there that must have values.

    :raises FormatError: naming the columns that are missing.
    """
    missing = [column.path for column in contract.columns if column.required and column.path not in names]
    if missing:
        raise stream.fail(
            f"has no column {', '.join(map(repr, missing))}, which {contract.file.name} requires. It has "
            f"{', '.join(map(repr, names[:20]))}"
        )
