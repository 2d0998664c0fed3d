"""Which of the files that a store has a run takes."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from datastack.contract.delivered import Delivered
from datastack.contract.file_sources import Delivery, FileSource, FileStream, Period
from datastack.contract.slice import Slice
from datastack.source.errors import SourceError
from datastack.source.files.store import FileStore, Wanted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrived:
    """A file that is there, and the window that it is for."""

    delivered: Delivered
    slice: Slice


@dataclass(frozen=True)
class Reach:
    """Which windows a run looks at: those that begin in its own or, unless it was given by hand, before that too."""

    window: Slice
    given: bool = False

    def holds(self, slice_: Slice) -> bool:
        """Whether the run takes a file for this window: each window begins in one run's only."""
        return slice_.start < self.window.end and (not self.given or slice_.start >= self.window.start)


def listed(store: FileStore, source: FileSource, stream: Delivery, reach: Reach) -> list[Arrived]:
    """Files within reach, oldest first.

    :raises SourceError: if the store fails, or a file's name has no date where its period has one.
    """
    wanted = Wanted(stream.files, stream.exclude, _periods(source, stream, reach))
    found = (Arrived(delivered, slice_of(stream, delivered)) for delivered in store.list(wanted))
    within = (arrived for arrived in found if reach.holds(arrived.slice))
    return sorted(within, key=lambda each: (each.slice.start, each.delivered.modified_at, each.delivered.key))


def everything(store: FileStore, stream: Delivery) -> list[Arrived]:
    """All files that are there, oldest first."""
    found = store.list(Wanted(stream.files, stream.exclude))
    return [
        Arrived(each, slice_of(stream, each)) for each in sorted(found, key=lambda each: (each.modified_at, each.key))
    ]


def taken(
    store: FileStore, source: FileSource, stream: Delivery, found: Sequence[Arrived], known: Mapping[str, str]
) -> list[Arrived]:
    """Files to take of those that are there: new ones that are complete, as many as one run may take.

    :param known: keys of files that are loaded, with the version of each.
    """
    new = [each for each in found if known.get(each.delivered.key) != each.delivered.etag]
    complete = [each for each in new if is_complete(store, source, stream, each.delivered)]
    log.info("%d files are there, %d of them new, %d of those complete", len(found), len(new), len(complete))
    if len(complete) > stream.max_files:
        rest = len(complete) - stream.max_files
        log.warning("%d files are left to the next run: one takes max_files, %d, at most", rest, stream.max_files)
    return complete[: stream.max_files]


def is_complete(store: FileStore, source: FileSource, stream: Delivery, delivered: Delivered) -> bool:
    """Whether nobody is writing a file any more, as far as can be told."""
    settle = source.settle(stream)
    if datetime.now(UTC) - delivered.modified_at < settle:
        log.info("%s was modified less than %s ago: left until it has settled", delivered.key, settle)
        return False
    if stream.done and not store.exists(stream.done.format(key=delivered.key)):
        log.info("%s has no marker %s yet: left until it is there", delivered.key, stream.done)
        return False
    return True


def slice_of(stream: Delivery, delivered: Delivered) -> Slice:
    """Window that a file is for: by its name or, without a period, the second in which it was modified.

    :raises SourceError: if its name has no date.
    """
    period = stream.period if isinstance(stream, FileStream) else None
    if period is None:
        return Slice(delivered.modified_at, delivered.modified_at + timedelta(seconds=1))
    found = re.search(period.pattern, delivered.key)
    remedy = "Correct `files` or `period`, or name it in `exclude`"
    if found is None:
        raise SourceError(
            f"{delivered.key} is like {stream.files!r}, but has no date like {period.pattern!r}. {remedy}"
        )
    try:
        return period.window(found[1])
    except ValueError as error:
        raise SourceError(
            f"{delivered.key}: {found[1]!r} is no date like {period.format!r}: {error}. {remedy}"
        ) from error


def expected(period: Period, first: datetime, reach: Slice) -> Iterator[tuple[str, Slice]]:
    """Names and windows of the periods that begin in a time, counted from ``first`` on."""
    start = first
    while start < reach.end:
        name = start.strftime(period.format)
        window = period.window(name)
        if window.start >= reach.start:
            yield name, window
        start = period.following(start)


def _periods(source: FileSource, stream: Delivery, reach: Reach) -> Sequence[tuple[str, Slice]]:
    """Periods to ask a web server for."""
    if source.store != "http" or not isinstance(stream, FileStream) or stream.period is None:
        return ()
    first = datetime(source.start_date.year, source.start_date.month, source.start_date.day, tzinfo=UTC)
    start = first
    if reach.given:
        start = reach.window.start
    elif stream.look_back is not None:
        start = reach.window.start - stream.look_back
    return list(expected(stream.period, first, Slice(min(start, reach.window.start), reach.window.end)))
