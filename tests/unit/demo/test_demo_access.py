"""Seals that nobody else can make, and turns at the agreed rate."""

import pytest

from local.demo.access import Signer, TokenBucket


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_what_was_sealed_opens_also_after_a_restart() -> None:
    assert Signer("secret", "token").open(Signer("secret", "token").seal({"at": 7})) == {"at": 7}


@pytest.mark.parametrize(("secret", "purpose"), [("other", "token"), ("secret", "cursor")])
def test_a_seal_opens_only_for_its_secret_and_purpose(secret: str, purpose: str) -> None:
    sealed = Signer("secret", "token").seal({"at": 7})
    with pytest.raises(ValueError, match="not sealed here"):
        Signer(secret, purpose).open(sealed)


def test_every_changed_character_breaks_the_seal() -> None:
    signer = Signer("secret", "token")
    sealed = signer.seal({"at": 7, "stop": 9})
    for place in range(len(sealed) - 1):  # the last one may carry bits that mean nothing
        other = "B" if sealed[place] == "A" else "A"
        with pytest.raises(ValueError, match="not sealed here"):
            signer.open(sealed[:place] + other + sealed[place + 1 :])


def test_a_full_bucket_gives_its_burst_and_then_the_wait_in_whole_seconds() -> None:
    bucket = TokenBucket(rate=0.5, burst=3, clock=Clock())
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 2, 2]


def test_waiting_as_long_as_told_is_enough_and_a_bucket_never_overflows() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=0.5, burst=2, clock=clock)
    assert [bucket.take() for _ in range(3)] == [0, 0, 2]
    clock.now += 2
    assert [bucket.take() for _ in range(2)] == [0, 2]
    clock.now += 1000
    assert [bucket.take() for _ in range(3)] == [0, 0, 2]
