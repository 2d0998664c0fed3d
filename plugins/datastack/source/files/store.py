"""What all stores of files have in common."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from datastack.contract.delivered import Delivered
from datastack.contract.slice import Slice
from datastack.source.errors import SourceError


class ChangedError(SourceError):
    """A file is not what it was when it was listed: the next try lists again."""


@dataclass(frozen=True)
class Wanted:
    """Which files are asked for: by glob or, where a server has no lists, by the name of each."""

    files: str
    exclude: tuple[str, ...] = ()
    periods: Sequence[tuple[str, Slice]] = ()


@dataclass(frozen=True)
class Description:
    """What a store says about an object beyond its version; ``media_type`` is a claim."""

    media_type: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


class Readable(Protocol):
    """An open file."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none at its end."""


class FileStore(Protocol):
    """A store, open. Keys are paths below the source's folder.

    All raise SourceError, naming the file, where the store fails for good.
    """

    readers: int  # how many files may be read at the same time

    def list(self, wanted: Wanted) -> list[Delivered]:
        """Return the files that are there, in no order."""

    def open(self, delivered: Delivered) -> AbstractContextManager[Readable]:
        """Open the very version that was listed.

        :raises ChangedError: at the end of the block at the latest, if the file has changed since it was listed.
        """

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""

    def describe(self, delivered: Delivered) -> Description:
        """Tell what is known about a file."""

    def __enter__(self) -> Self:
        """Connect."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""


def changed(what: str, delivered: Delivered) -> ChangedError:
    """Say that a file was changed under our hands."""
    return ChangedError(
        f"{what} has changed since it was listed as version {delivered.etag} of {delivered.modified_at.isoformat()}. "
        "It was not taken; the next try takes the version that is there then"
    )
