"""Waits for the file of a run's window, without holding a worker."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from datastack.contract.file_sources import FileSource, FileStream
from datastack.contract.registry import load_source
from datastack.contract.slice import Slice
from datastack.operators import connections
from datastack.operators.extract_files import FilesOperator
from datastack.operators.window import window


class AwaitFilesOperator(FilesOperator):
    """Waits until a file of the run's window is there and complete. Returns the keys of those that are.

    It waits until ``wait`` after the end of the window, then fails: a run of a window long past finds its file at once,
    or not at all. The triggerer looks, so that no worker is held; only what is known at once is told at once. A trigger
    that fires before the scheduler knows that its task is deferred makes it take the task for failed:
    https://github.com/apache/airflow/issues/71580
    """

    def execute(self, context: Any) -> list[str]:
        """Look once, then leave it to the triggerer."""
        slice_, stream = window(context, self.file_source.schedule), _stream(self.source, self.stream)
        until = slice_.end + (stream.wait or timedelta(0))
        times = [moment.isoformat() for moment in (slice_.start, slice_.end, until)]
        trigger = FilesTrigger(self.source, self.stream, *times)
        if event := trigger.look():
            return self.arrived(context, event)
        self.log.info("waiting for %r of %s until %s", stream.files, slice_, until.isoformat())
        self.defer(trigger=trigger, method_name="arrived")

    def arrived(self, context: Any, event: dict[str, Any]) -> list[str]:
        """Go on, or fail for good: another try would wait for as long again."""
        if missing := event.get("missing"):
            raise AirflowFailException(missing)
        self.log.info("%s: %s", window(context, self.file_source.schedule), ", ".join(event["found"]))
        found: list[str] = event["found"]
        return found

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """Nothing is moved."""
        return [], []


class FilesTrigger(BaseTrigger):
    """Looks into a store until a file of a window is there. Made of names and times only: any triggerer can go on.

    :param until: when to give up; all times in ISO 8601.
    """

    def __init__(self, source: str, stream: str, window_start: str, window_end: str, until: str) -> None:
        super().__init__()
        self.source, self.stream = source, stream
        self.window_start, self.window_end, self.until = window_start, window_end, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class, and what to make it of."""
        names = ("source", "stream", "window_start", "window_end", "until")
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and look, and wait again: the task has looked already."""
        every = _stream(self.source, self.stream).look_every.total_seconds()
        event = None
        while not event:
            left = (datetime.fromisoformat(self.until) - datetime.now(UTC)).total_seconds()
            await asyncio.sleep(max(min(every, left), 0))
            event = await asyncio.to_thread(self.look)
        yield TriggerEvent(event)

    def look(self) -> dict[str, Any] | None:
        """Return what there is to tell: the files ``found`` or, when it is time to give up, what is ``missing``."""
        found, seen = self._look()
        if found:
            return {"found": found}
        if datetime.now(UTC) >= datetime.fromisoformat(self.until):
            return {"missing": self._missing(seen)}
        self.log.info("%s", seen)
        return None

    def _look(self) -> tuple[list[str], str]:
        """Keys of the window's complete files, and what was seen. A store that fails may be back before we give up."""
        from datastack.operators.arrivals import Reach, is_complete, listed
        from datastack.source.errors import SourceError

        source, stream = _source(self.source), _stream(self.source, self.stream)
        reach = Reach(Slice.parse(self.window_start, self.window_end), given=True)
        try:
            with connections.file_store(source) as store:
                there = [each.delivered for each in listed(store, source, stream, reach)]
                found = [each.key for each in there if is_complete(store, source, stream, each)]
        except SourceError as error:
            self.log.warning("%s.%s: %s", self.source, self.stream, error)
            return [], str(error)
        return found, f"there, but not complete: {', '.join(each.key for each in there)}" if there else "not there"

    def _missing(self, seen: str) -> str:
        source, stream = _source(self.source), _stream(self.source, self.stream)
        window = Slice.parse(self.window_start, self.window_end)
        date = window.start.strftime(stream.period.format) if stream.period else ""
        return (
            f"{self.source}.{self.stream} {window}: no file like {stream.files!r} with the date {date} in "
            f"{source.folder} until {self.until}, which is {stream.wait} after the window's end ({seen}). Ask "
            "whoever delivers it; when it is there, clear this task or let the next scheduled run take it"
        )


def _source(name: str) -> FileSource:
    source = load_source(name).source
    assert isinstance(source, FileSource)  # noqa: S101 the pipeline chooses by kind
    return source


def _stream(source: str, name: str) -> FileStream:
    stream = _source(source).streams[name]
    assert isinstance(stream, FileStream)  # noqa: S101 nobody waits for documents
    return stream
