"""Lets an iterator work in a thread of its own, some items ahead of whoever takes them."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def ahead(work: Iterable[T], items: int) -> Iterator[Iterator[T]]:
    """Run an iterator in a thread as long as the block lasts; what it raises is raised where its items are taken.

    :param items: how many it may be ahead.
    """
    taken: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(items)
    stopped = threading.Event()

    def offer(item: T | None, error: BaseException | None = None, last: bool = False) -> None:
        while not stopped.is_set():
            try:
                return taken.put((item, error, last), timeout=0.1)
            except queue.Full:
                continue

    def run() -> None:
        try:
            for item in work:
                offer(item)
                if stopped.is_set():
                    return
            offer(None, last=True)
        except BaseException as error:  # raised again by take()
            offer(None, error, last=True)

    def take() -> Iterator[T]:
        while True:
            item, error, last = taken.get()
            if error:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]

    thread = threading.Thread(target=run, name="ahead", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        stopped.set()
        thread.join()
