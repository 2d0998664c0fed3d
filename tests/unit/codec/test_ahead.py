"""Items on their way between threads: all arrive, in order; an error arrives too; nobody is left waiting."""

import threading
from collections.abc import Iterator

import pytest

from datastack.codec.ahead import End, Handover, LeftError, ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "ahead"]


def test_all_items_come_in_order():
    with ahead(iter(range(1000)), items=2) as items:
        assert list(items) == list(range(1000))
    assert threads() == []


def test_work_is_no_further_ahead_than_it_may_be():
    made = []

    def work() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with ahead(work(), items=2) as items:
        for taken in items:
            assert len(made) <= taken + 5, "taken, two that wait, one that is put, one that is made"


def test_an_error_is_raised_behind_the_items_before_it():
    def work() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with ahead(work(), items=5) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="broken"):
            next(items)


def test_leaving_early_ends_the_thread():
    with ahead(iter(range(10**9)), items=1) as items:
        assert next(items) == 0
    assert threads() == []


def test_who_puts_what_nobody_takes_is_told():
    handover = Handover[int](1)
    handover.put(1)
    assert not handover.offer(2)
    told = []

    def put() -> None:
        try:
            handover.put(2)
        except LeftError:
            told.append("left")

    waiting = threading.Thread(target=put)
    waiting.start()
    handover.leave()
    waiting.join(timeout=10)
    assert told == ["left"]
    for late in (handover.put, handover.offer):
        with pytest.raises(LeftError):
            late(3)


def test_an_end_follows_what_a_job_has_put():
    handover = Handover[int](5)

    def fails() -> None:
        handover.put(1)
        raise ValueError("broken")

    handover.work(fails)
    handover.work(lambda: handover.put(2))
    assert handover.take() == 1
    with pytest.raises(ValueError, match="broken"):
        handover.take().check()  # type: ignore[union-attr]
    assert handover.take() == 2
    assert handover.take() == End()
    handover.leave()
    handover.work(lambda: handover.put(3))  # which ends as well


def test_many_threads_put_and_one_takes():
    handover = Handover[int](2)

    def put(first: int) -> None:
        for number in range(first, first + 500):
            handover.put(number)

    workers = [threading.Thread(target=put, args=(first,)) for first in range(0, 2000, 500)]
    for worker in workers:
        worker.start()
    assert sorted(handover.take() for _ in range(2000)) == list(range(2000))
    for worker in workers:
        worker.join()
