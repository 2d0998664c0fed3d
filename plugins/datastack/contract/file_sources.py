"""How files are read that others deliver."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from datastack.contract.file_formats import FileFormat
from datastack.contract.model import Frozen, Identifier
from datastack.contract.slice import Slice
from datastack.contract.sources import SourceFile, Stream, Write

GIGABYTE = 1024**3


def _one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"{pattern!r} has {groups} groups: put the date, and nothing else, in parentheses")
    return pattern


def _start(format: str, date: str) -> datetime:
    """Read a date; a week without a day begins on its Monday."""
    if "%V" in format and not any(day in format for day in ("%u", "%w", "%a", "%A")):
        format, date = f"{format} %u", f"{date} 1"
    return datetime.strptime(date, format).replace(tzinfo=UTC)


def _readable(format: str) -> str:
    try:
        _start(format, datetime(2024, 2, 1, tzinfo=UTC).strftime(format))
    except ValueError as error:
        raise ValueError(f"{format!r} is no format of a date: {error}") from None
    return format


class Period(Frozen):
    """Which window a file is for, as its name says.

    ``pattern`` is a regular expression with one group around the date, which is in ``format`` (as in ``strftime``, UTC;
    a week, as ``%G-W%V``, begins on Monday). ``length`` is a time, as ``P7D``, or a month or a year of the calendar:
    ``P1M``, ``P1Y``.
    """

    pattern: Annotated[str, AfterValidator(_one_group)]
    format: Annotated[str, AfterValidator(_readable)] = "%Y-%m-%d"
    length: Literal["P1M", "P1Y"] | Annotated[timedelta, Field(gt=timedelta(0))]

    def window(self, date: str) -> Slice:
        """Window of a date as it stands in a name.

        :raises ValueError: if the date is not in the format.
        """
        start = _start(self.format, date)
        return Slice(start, self.following(start))

    def following(self, start: datetime) -> datetime:
        """Where the window ends that begins at ``start``, and the next one begins."""
        if isinstance(self.length, timedelta):
            return start + self.length
        months = start.year * 12 + start.month - 1 + (1 if self.length == "P1M" else 12)
        return start.replace(year=months // 12, month=months % 12 + 1, day=1)


class Delivery(Stream):
    """Which objects a stream takes, whatever is in them.

    ``files`` is a glob below the source's folder: ``*`` stands for any characters but ``/``, ``**`` for any. Web
    servers have no lists: there it is an address with ``{period}`` where the date stands. ``exclude`` are globs of
    files to pass over. A file is taken when it has not changed for ``settle`` and, where ``done`` names a marker such
    as ``{key}.done``, that is there. ``max_files`` limits a run: the oldest first, the rest comes with the next one.
    """

    files: str = Field(min_length=1, pattern=r"^[^/]")
    exclude: tuple[str, ...] = ()
    settle: timedelta | None = Field(default=None, ge=timedelta(0))
    done: str | None = Field(default=None, pattern=r"\{key\}")
    max_files: int = Field(default=1000, ge=1)


class FileStream(Delivery):
    """Files, each of which is loaded once a version; another version of a file takes the place of its rows.

    ``period`` says which window a file is for; without it, that is when it was modified. ``wait`` is how long after the
    end of its window a run waits for the file of that window. ``member`` is a glob of the files to read in a zip that
    holds several. ``look_back`` limits how far before its window a run asks a web server for files; as far as the
    source's start_date unless given. While a run waits, it looks every ``look_every``.
    """

    format: FileFormat
    period: Period | None = None
    wait: timedelta | None = Field(default=None, gt=timedelta(0))
    look_every: timedelta = Field(default=timedelta(minutes=5), ge=timedelta(seconds=1))
    member: str | None = Field(default=None, min_length=1)
    look_back: timedelta | None = Field(default=None, ge=timedelta(0))
    max_unpacked_bytes: int = Field(default=20 * GIGABYTE, ge=1)

    @model_validator(mode="after")
    def _waits_for_a_window(self) -> "FileStream":
        if self.wait and not self.period:
            raise ValueError("wait needs a period: it says which file is the one of the run's window")
        return self

    @model_validator(mode="after")
    def _deletes_by_column(self) -> "FileStream":
        if self.deletes and self.deletes.by == "key":
            raise ValueError("deletes by key compare all keys, and a file has not all: use deletes: {by: column}")
        return self


class DocumentStream(Delivery):
    """Objects that are kept as they are: text, PDF, images, audio. The warehouse has a row on each.

    With ``deletes: {by: key}``, a listing without any object is refused, as it would delete every row, unless
    ``allow_empty``.
    """

    format: Literal["document"]
    allow_empty: bool = False

    @model_validator(mode="after")
    def _by_key_and_time(self) -> "DocumentStream":
        if self.write not in (Write.MERGE, Write.SCD2) or self.cursor != "modified_at":
            raise ValueError("documents enter by key, newest first: use write: merge or scd2, and cursor: modified_at")
        if self.deletes and self.deletes.by == "column":
            raise ValueError("a store marks no deleted objects: use deletes: {by: key}")
        return self


def _kind_of_stream(declared: object) -> str:
    kind = declared.get("format") if isinstance(declared, dict) else getattr(declared, "format", None)
    return "document" if kind == "document" else "file"


_AnyStream = Annotated[
    Annotated[FileStream, Tag("file")] | Annotated[DocumentStream, Tag("document")], Discriminator(_kind_of_stream)
]


class FileSource(SourceFile):
    """A store into which somebody puts files.

    ``folder`` is a bucket with a prefix, a path on an SFTP server, or a path below a web server's address.
    """

    kind: Literal["files"]
    store: Literal["s3", "http", "sftp"]
    folder: str = Field(min_length=1)
    streams: dict[Identifier, _AnyStream] = Field(min_length=1)

    @model_validator(mode="after")
    def _listed(self) -> "FileSource":
        for name, stream in self.streams.items():
            self._check_files(f"streams.{name}", stream)
        return self

    def _check_files(self, where: str, stream: FileStream | DocumentStream) -> None:
        is_template = "{period}" in stream.files
        if self.store != "http":
            if is_template or (isinstance(stream, FileStream) and stream.look_back):
                raise ValueError(f"{where}: {{period}} and look_back are for web servers; a {self.store} store lists")
            return
        if isinstance(stream, DocumentStream):
            raise ValueError(f"{where}: web servers have no lists, so documents can't be read from them")
        if stream.period is None or not is_template or set("*?") & set(stream.files):
            raise ValueError(
                f"{where}: web servers have no lists: declare a period, and write files as an address with {{period}} "
                "where its date stands, as promotions_{period}.csv"
            )

    def settle(self, stream: Delivery) -> timedelta:
        """How long a file must not have changed: S3's are there whole or not at all, others grow while we look."""
        if stream.settle is not None:
            return stream.settle
        return timedelta(0) if self.store == "s3" else timedelta(seconds=60)
