"""What goes wrong while an API is read."""

from datastack.source.errors import SourceError


class RefusedStatusError(SourceError):
    """The API answered for good with something other than success; ``status`` says with what."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ContradictionError(SourceError):
    """Pages contradict each other, or what is declared: what was read of them so far is of no use."""


class PassingError(Exception):
    """One try failed in a way that another one may not."""


class ThrottledError(Exception):
    """The API asks to wait; ``seconds`` says how long, if it does."""

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds
