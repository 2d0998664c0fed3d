"""Lets threads work ahead of the one that takes what they make, by a few items and no more."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_LOOK_SECONDS = 0.1  # how soon a thread that waits for a place sees that nobody takes items any more


class LeftError(Exception):
    """Nobody takes items any more."""


@dataclass(frozen=True)
class End:
    """What a thread puts behind its items: that there are no more, or why."""

    error: BaseException | None = None

    def check(self) -> None:
        """Raise what ended the thread, if it was an error."""
        if self.error:
            raise self.error


class Handover(Generic[T]):
    """Where threads put items for another one to take.

    :param places: how many items may wait; who puts one more waits as well.
    """

    def __init__(self, places: int) -> None:
        self._waiting: queue.Queue[T | End] = queue.Queue(places)
        self._left = threading.Event()

    def put(self, item: T | End) -> None:
        """Hand an item over.

        :raises LeftError: if nobody takes it.
        """
        while True:
            self.check()
            with suppress(queue.Full):
                return self._waiting.put(item, timeout=_LOOK_SECONDS)

    def offer(self, item: T) -> bool:
        """Hand an item over if there is a place; return whether there was.

        :raises LeftError: if nobody takes it.
        """
        self.check()
        with suppress(queue.Full):
            self._waiting.put_nowait(item)
            return True
        return False

    def check(self) -> None:
        """See whether going on is of use.

        :raises LeftError: if nobody takes items any more.
        """
        if self._left.is_set():
            raise LeftError

    def work(self, job: Callable[[], None]) -> None:
        """Do what puts items, and put its end behind them; nothing is raised but to whom takes them."""
        end = End()
        try:
            job()
        except LeftError:
            return
        except BaseException as error:
            end = End(error)
        with suppress(LeftError):
            self.put(end)

    def take(self) -> T | End:
        """Wait for an item, or the end of one of the threads."""
        return self._waiting.get()

    def leave(self) -> None:
        """Take no more."""
        self._left.set()


@contextmanager
def ahead(work: Iterable[T], items: int) -> Iterator[Iterator[T]]:
    """Run an iterator in a thread as long as the block lasts; what it raises is raised where its items are taken.

    :param items: how many it may be ahead.
    """
    handover = Handover[T](items)

    def put() -> None:
        for item in work:
            handover.put(item)

    def take() -> Iterator[T]:
        while not isinstance(item := handover.take(), End):
            yield item
        item.check()

    thread = threading.Thread(target=handover.work, args=(put,), name="ahead", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        handover.leave()
        thread.join()
