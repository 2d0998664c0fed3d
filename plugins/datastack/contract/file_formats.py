"""What is in the files that others deliver."""

import codecs
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from datastack.contract.model import Frozen


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError(f"{name!r} is no encoding: write it as utf-8, windows-1252 or iso-8859-1") from None
    return name


_Mark = Annotated[str, Field(min_length=1, max_length=1)]


class Tabular(Frozen):
    """What tables of text have in common.

    ``skip_rows`` stand before the header. ``nulls`` are the texts that stand for no value, where they are not quoted.
    ``dates`` and ``timestamps`` are the formats of columns of those types (as in ``strftime``), ISO 8601 unless given.
    """

    skip_rows: int = Field(default=0, ge=0)
    nulls: tuple[str, ...] = ("",)
    decimal: Literal[".", ","] = "."
    dates: str | None = None
    timestamps: str | None = None


class Csv(Tabular):
    """Delimited text, one record a row.

    The columns' names stand in its first row, in any order, unless ``columns`` gives them. A byte order mark goes
    before ``encoding``. ``quote`` and ``escape`` may be null.
    """

    kind: Literal["csv"]
    delimiter: _Mark = ","
    quote: _Mark | None = '"'
    escape: _Mark | None = None
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    columns: tuple[str, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _marks_differ(self) -> "Csv":
        marks = [mark for mark in (self.delimiter, self.quote, self.escape) if mark]
        if len(set(marks)) < len(marks) or not all(mark.isascii() for mark in marks):
            raise ValueError("delimiter, quote and escape are different ASCII characters")
        return self


class Excel(Tabular):
    """A sheet of a workbook (xlsx, xlsb, xls, ods): the first one unless named."""

    kind: Literal["excel"]
    sheet: str | None = None


class Json(Frozen):
    """One JSON document, with the records in a list; ``records`` is where that stands, if it is not the whole."""

    kind: Literal["json"]
    records: str | None = Field(default=None, min_length=1)


class JsonLines(Frozen):
    """One JSON object a line."""

    kind: Literal["jsonl"]


class Parquet(Frozen):
    """Parquet, which is typed already."""

    kind: Literal["parquet"]


FileFormat = Annotated[Csv | Json | JsonLines | Parquet | Excel, Field(discriminator="kind")]
