"""What may go wrong on a connection, and when: declarations that a proxy acts on."""

from dataclasses import dataclass
from enum import StrEnum

from tests.faults.places import place


class Kind(StrEnum):
    """What happens."""

    REFUSE = "refuse"  # nobody listens
    DELAY = "delay"  # the bytes come later
    CUT = "cut"  # the connection ends, as if the other side had closed it
    RESET = "reset"  # the connection breaks (RST)
    STALL = "stall"  # nothing comes any more, until the task is stopped from outside
    LATE = "late"  # the bytes come when the worker is dead
    KILL = "kill"  # the worker dies (SIGKILL)
    SLOW_DOWN = "503"  # S3, or an API, asks to come back later
    INTERNAL_ERROR = "500"  # it failed
    TOO_MANY = "429"  # an API asks to come back in a second

    @property
    def is_answer(self) -> bool:
        """Whether an HTTP answer takes the place of the server's."""
        return self in (Kind.SLOW_DOWN, Kind.INTERNAL_ERROR, Kind.TOO_MANY)


class Way(StrEnum):
    """Which way bytes go."""

    UP = "to the server"
    DOWN = "to the client"


@dataclass(frozen=True)
class Trigger:
    """The moment: so many bytes of an event, or of its answer, have passed.

    :param event: name of the event, see :mod:`tests.faults.wire`.
    :param nth: which one of that name.
    """

    event: str
    nth: int = 1
    way: Way = Way.UP
    after: int = 0

    @property
    def phase(self) -> str:
        """Name where in the event it lies."""
        if self.way is Way.UP:
            return "within" if self.after else "before"
        return "answer cut" if self.after else "done, unanswered"

    def __str__(self) -> str:
        return f"{self.event!r} no. {self.nth}, {self.after} bytes {self.way}"


@dataclass
class Fault:
    """One fault in front of one server. It happens ``times`` times: at its moment, then at each event that follows.

    :param server: name of the proxy that acts.
    """

    kind: Kind
    server: str
    trigger: Trigger
    times: int = 1
    fired: int = 0

    @property
    def place(self) -> str:
        """What people call the moment's surroundings."""
        return place(self.server, self.trigger.event)

    def __str__(self) -> str:
        return f"{self.kind} x {self.times} ({self.trigger.phase}) at {self.server}, {self.trigger}"
