"""Checks where the columns of a stream of JSON records are said to stand."""

from pathlib import Path

from datastack.contract.api_sources import ApiStream, ChildTable
from datastack.contract.errors import DeclarationError
from datastack.contract.file_formats import Json, JsonLines
from datastack.contract.file_sources import FileStream
from datastack.contract.model import Column, Contract
from datastack.contract.sources import Stream

ABOVE = "^."


def check_paths(file: Path, name: str, stream: Stream, contract: Contract) -> None:
    """See that paths can be followed; those of streams that are no JSON are names of columns, and may be any.

    :raises DeclarationError: naming the column.
    """
    if isinstance(stream, FileStream) and not isinstance(stream.format, Json | JsonLines):
        return
    if not isinstance(stream, ApiStream | ChildTable | FileStream):
        return
    for column in contract.columns:
        if problem := _problem(file, name, stream, column):
            raise DeclarationError(contract.file, f"schema.properties.{column.name}.path", *problem)


def _problem(file: Path, name: str, stream: Stream, column: Column) -> tuple[str, str] | None:
    path = column.path
    if "" in path.replace("[]", "").split("."):
        return f"{path!r} has a step without a name", "Write names with dots between them, as a.b or a[].b."
    if "[]" in path and (column.type != "text[]" or path.count("[]") > 1):
        problem = f"{path!r} gives a list, of one level, for a column of type text[]"
        return problem, "Declare text[], keep what is nested deeper as jsonb, or make a child table of it (`of`)."
    if not path.startswith(ABOVE):
        return None
    fields = stream.parent.fields if isinstance(stream, ApiStream) and stream.parent else None
    if fields is None and not isinstance(stream, ChildTable):
        return f"{path!r} is in what encloses a record, but {name} is no child of a stream", "Write a path without ^."
    if fields is not None and path.removeprefix(ABOVE).split(".")[0] not in fields:
        problem = f"{path!r} is not among the fields that {file.name} takes from the parent: {', '.join(fields)}"
        return problem, f"Add it to streams.{name}.parent.fields, or name one of these."
    return None
