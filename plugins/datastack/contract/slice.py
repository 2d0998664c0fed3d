"""Half-open UTC windows: the unit in which everything moves."""

from dataclasses import dataclass
from datetime import UTC, datetime

_NAME_FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, order=True)
class Slice:
    """The window ``[start, end)`` in UTC.

    :raises ValueError: if a bound has no time zone or the window is empty.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for bound in (self.start, self.end):
            if bound.tzinfo is None:
                raise ValueError(f"slice bound {bound.isoformat()} has no time zone; write it with one, as …T00:00:00Z")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.start >= self.end:
            raise ValueError(f"slice {self} is empty: its start must lie before its end")

    @classmethod
    def parse(cls, start: str, end: str) -> "Slice":
        """Read two ISO 8601 timestamps.

        :raises ValueError: if one is not a timestamp with a time zone.
        """
        return cls(datetime.fromisoformat(start), datetime.fromisoformat(end))

    @property
    def name(self) -> str:
        """A name that sorts by time and fits in an object key."""
        return f"{self.start.strftime(_NAME_FORMAT)}_{self.end.strftime(_NAME_FORMAT)}"

    def __str__(self) -> str:
        return f"[{self.start.isoformat()}, {self.end.isoformat()})"
