"""Lets threads work ahead of the one that takes what they make, by a few items and no more."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_LOOK_SECONDS = 0.1  # how soon a thread that waits for a place sees that nobody takes items any more


class LeftError(Exception):
    """Nobody takes items any more."""


class Handover(Generic[T]):
    """Where threads put items for another one to take.

    :param places: how many items may wait; who puts one more waits as well.
    """

    def __init__(self, places: int) -> None:
        self._waiting: queue.Queue[T] = queue.Queue(places)
        self._left = threading.Event()

    def put(self, item: T) -> None:
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

    def take(self) -> T:
        """Wait for an item."""
        return self._waiting.get()

    def leave(self) -> None:
        """Take no more."""
        self._left.set()


@dataclass(frozen=True)
class _End:
    error: BaseException | None = None


@contextmanager
def ahead(work: Iterable[T], items: int) -> Iterator[Iterator[T]]:
    """Run an iterator in a thread as long as the block lasts; what it raises is raised where its items are taken.

    :param items: how many it may be ahead.
    """
    handover = Handover[T | _End](items)

    def run() -> None:
        end = _End()
        try:
            for item in work:
                handover.put(item)
        except LeftError:
            return
        except BaseException as error:  # raised again by take()
            end = _End(error)
        with suppress(LeftError):
            handover.put(end)

    def take() -> Iterator[T]:
        while not isinstance(item := handover.take(), _End):
            yield item
        if item.error:
            raise item.error

    thread = threading.Thread(target=run, name="ahead", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        handover.leave()
        thread.join()
