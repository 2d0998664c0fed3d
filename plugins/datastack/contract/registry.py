"""Finds declarations by name: sources, their streams' contracts, and SQL files."""

import ast
import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

import pydantic

from datastack.contract.api_sources import ApiSource, PythonStream
from datastack.contract.database_sources import DatabaseSource, DatabaseStream, Incremental
from datastack.contract.documents import check_document_contract
from datastack.contract.errors import DeclarationError, from_validation
from datastack.contract.file_sources import DocumentStream, FileSource
from datastack.contract.json_paths import check_paths
from datastack.contract.model import Contract, Privacy
from datastack.contract.odcs import read_contract, read_yaml
from datastack.contract.promises import check_promises
from datastack.contract.sources import SoftDelete, Stream, Write
from datastack.contract.types import IN_TIME

Source = Annotated[DatabaseSource | ApiSource | FileSource, pydantic.Field(discriminator="kind")]
_SOURCE: pydantic.TypeAdapter[DatabaseSource | ApiSource | FileSource] = pydantic.TypeAdapter(Source)


def include_dir() -> Path:
    """Return the folder of declarations: ``DATASTACK_INCLUDE``, or the repository's include/."""
    return Path(os.environ.get("DATASTACK_INCLUDE") or Path(__file__).parents[3] / "include")


@dataclass(frozen=True)
class Declared:
    """A source with the contracts of all its streams."""

    source: Source
    contracts: dict[str, Contract]


def source_names() -> list[str]:
    """Names of all declared sources, sorted."""
    return sorted(file.stem for file in (include_dir() / "sources").glob("*.yml"))


@cache
def load_source(name: str) -> Declared:
    """Read a source file and the contract of each of its streams.

    :raises DeclarationError: naming file, field and remedy.
    """
    file, source = _read_source(name)
    contracts = {stream: read_contract(contract_file(name, stream), name, stream) for stream in source.streams}
    for stream, contract in contracts.items():
        _check_together(file, source, stream, contract)
        check_promises(contract, lambda whose, of: contracts.get(of) if whose == name else _find_contract(whose, of))
    _check_function(source)
    _check_no_orphans(file, source)
    return Declared(source, contracts)


def stream_names(source: str) -> list[str]:
    """Names of a source's streams. Reads its file only: contracts are many, and slow to read where a DAG is parsed.

    :raises DeclarationError: naming file, field and remedy.
    """
    return list(_read_source(source)[1].streams)


def _read_source(name: str) -> tuple[Path, Source]:
    file = include_dir() / "sources" / f"{name}.yml"
    content = read_yaml(file)
    try:
        source = _SOURCE.validate_python(content)
    except pydantic.ValidationError as error:
        raise from_validation(file, error, content) from error
    if source.name != name:
        raise DeclarationError(file, "name", f"is {source.name!r}", f"Give the file's own name, {name!r}.")
    return file, source


def contract_file(source: str, stream: str) -> Path:
    """Return where the contract of a stream stands."""
    return include_dir() / "contracts" / source / f"{stream}.odcs.yaml"


def _find_contract(source: str, stream: str) -> Contract | None:
    """Contract of a stream, without looking at what that refers to; None if there is no such stream."""
    file = include_dir() / "sources" / f"{source}.yml"
    if not file.exists() or stream not in (read_yaml(file).get("streams") or ()):
        return None
    return read_contract(contract_file(source, stream), source, stream)


def source_function(source: str) -> Path:
    """Return where the function stands that reads streams of a source which no declaration fits."""
    return include_dir() / "sources" / f"{source}.py"


def _check_function(source: Source) -> None:
    """Look for it without running it: DAG files are parsed often."""
    if not isinstance(source, ApiSource) or not any(isinstance(each, PythonStream) for each in source.streams.values()):
        return
    file, remedy = source_function(source.name), "Write it as def pages(api, stream, window), yielding answers."
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DeclarationError(file, "(whole file)", "there is no such file", remedy) from error
    except (SyntaxError, ValueError) as error:
        raise DeclarationError(file, "(whole file)", f"not valid Python: {error}", "Correct the syntax.") from error
    if not any(isinstance(each, ast.FunctionDef) and each.name == "pages" for each in tree.body):
        raise DeclarationError(file, "pages", "there is no such function", remedy)


def _check_together(file: Path, source: Source, name: str, contract: Contract) -> None:
    stream = source.streams[name]
    stored = {column.name for column in contract.stored}
    if stream.cursor and stream.cursor not in stored:
        remedy = f"Name a column of {contract.file.name}, or add it there."
        raise DeclarationError(file, f"streams.{name}.cursor", f"{stream.cursor!r} is not in the contract", remedy)
    if stream.is_keyed and not contract.key:
        problem = f"write: {stream.write.value} needs a primary key"
        remedy = "Mark the key's columns with primaryKey: true."
        raise DeclarationError(contract.file, "schema.properties", problem, remedy)
    if stream.is_keyed:
        _check_keyed(file, name, stream, contract)
    if isinstance(stream, DatabaseStream):
        _check_database_stream(file, name, stream, contract)
    if isinstance(stream, DocumentStream):
        check_document_contract(file, name, contract)
    check_paths(file, name, stream, contract)


def _check_keyed(file: Path, name: str, stream: Stream, contract: Contract) -> None:
    """A row without its key or cursor has no place among the others, and masked keys are all the same."""
    columns = {column.name: column for column in contract.columns}
    for column in (*contract.key, stream.cursor or ""):
        field, write = f"schema.properties.{column}", f"write: {stream.write.value}"
        if not columns[column].required:
            problem, remedy = f"{write} needs a value in every row", "Add required: true."
            raise DeclarationError(contract.file, field, problem, remedy)
        if columns[column].privacy in (Privacy.MASK, Privacy.DROP):
            problem, remedy = f"{write} tells rows apart by it", "Use privacy: hash, which keeps them apart."
            raise DeclarationError(contract.file, field, problem, remedy)
    if stream.write is Write.SCD2 and columns[stream.cursor or ""].type not in IN_TIME:
        problem = f"{stream.cursor!r} is {columns[stream.cursor or ''].type}, but versions are valid from a time on"
        remedy = f"Name a column of type {', '.join(IN_TIME)}."
        raise DeclarationError(file, f"streams.{name}.cursor", problem, remedy)


def _check_database_stream(file: Path, name: str, stream: DatabaseStream, contract: Contract) -> None:
    types = {column.name: column.type for column in contract.stored}
    if isinstance(stream.deletes, SoftDelete):
        found = types.get(stream.deletes.column)
        if found not in ("boolean", *IN_TIME):
            field, problem = f"streams.{name}.deletes.column", f"{stream.deletes.column!r} is {found or 'not there'}"
            remedy = f"Name a column of {contract.file.name} that is a boolean or the time of deletion."
            raise DeclarationError(file, field, problem, remedy)
    in_time = types.get(stream.cursor or "") in IN_TIME
    if stream.cursor and not in_time and stream.incremental is Incremental.SLICE and stream.write is not Write.REPLACE:
        problem = f"{stream.cursor!r} is {types.get(stream.cursor)}: a slice is a time, so its cursor is one too"
        remedy = "Name a column of type timestamptz, timestamp or date, or set incremental: watermark."
        raise DeclarationError(file, f"streams.{name}.cursor", problem, remedy)
    if stream.look_back and isinstance(stream.look_back, timedelta) != in_time:
        remedy = "Write a time, as P3D, for a cursor in time, and a number for a number."
        raise DeclarationError(file, f"streams.{name}.look_back", "is not of the cursor's kind", remedy)


def _check_no_orphans(file: Path, source: Source) -> None:
    for found in sorted((include_dir() / "contracts" / source.name).glob("*")):
        if found.name.removesuffix(".odcs.yaml") not in source.streams:
            raise DeclarationError(found, "(whole file)", f"no stream of {file.name} uses it", "Declare or remove it.")
