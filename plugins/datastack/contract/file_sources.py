"""How files are read that others deliver."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from datastack.contract.model import Frozen, Identifier
from datastack.contract.sources import SourceFile, Stream


class Csv(Frozen):
    """Delimited text, one record a row, with the columns' names in the first one."""

    kind: Literal["csv"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    encoding: str = "utf-8"


class Json(Frozen):
    """One JSON document, with the records in a list."""

    kind: Literal["json"]
    records: str | None = Field(default=None, description="where the list of records stands; none for the whole")


class JsonLines(Frozen):
    """One JSON object a line."""

    kind: Literal["jsonl"]


class Parquet(Frozen):
    """Parquet, which is typed already."""

    kind: Literal["parquet"]


class Excel(Frozen):
    """A sheet of a workbook."""

    kind: Literal["excel"]
    sheet: str | None = None


class Period(Frozen):
    """Which window a file is for, as its name says: ``pattern`` has one group, a date in ``format``."""

    pattern: str = Field(min_length=1)
    format: str = "%Y-%m-%d"
    length: timedelta = Field(gt=timedelta(0))


class FileStream(Stream):
    """Files that match ``files``, each of which is loaded once a version."""

    files: str = Field(min_length=1, description="glob below the source's folder")
    format: Annotated[Csv | Json | JsonLines | Parquet | Excel, Field(discriminator="kind")]
    period: Period | None = None
    wait: timedelta | None = Field(default=None, description="how long a run waits for the file of its window")


class DocumentStream(Stream):
    """Objects that are kept as they are: text, PDF, images, audio. The warehouse has a row on each."""

    files: str = Field(min_length=1, description="glob below the source's folder")
    format: Literal["document"]


class FileSource(SourceFile):
    """A store into which somebody puts files.

    ``folder`` is a bucket with a prefix, a path on an SFTP server, or a path below a web server's address.
    """

    kind: Literal["files"]
    store: Literal["s3", "http", "sftp"]
    folder: str = Field(min_length=1)
    streams: dict[Identifier, FileStream | DocumentStream] = Field(min_length=1)
