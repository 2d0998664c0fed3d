"""What may go wrong on a connection, and when: declarations that a proxy acts on."""

from dataclasses import dataclass
from enum import StrEnum

from tests.faults.wire import CONNECT


class Kind(StrEnum):
    """What happens."""

    REFUSE = "refuse"  # nobody listens
    DELAY = "delay"  # the bytes come later
    CUT = "cut"  # the connection ends, as if the other side had closed it
    RESET = "reset"  # the connection breaks (RST)
    STALL = "stall"  # nothing comes any more, until the task is stopped from outside
    LATE = "late"  # the bytes come when the worker is dead
    KILL = "kill"  # the worker dies (SIGKILL)
    SLOW_DOWN = "503"  # S3 asks to come back later
    INTERNAL_ERROR = "500"  # S3 failed

    @property
    def is_answer(self) -> bool:
        """Whether an HTTP answer takes the place of the server's."""
        return self in (Kind.SLOW_DOWN, Kind.INTERNAL_ERROR)


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


_LAKE = (("_manifest", "manifest"), ("landing/", "part"), ("conformed/", "part"), ("quarantine/", "part"))
_WAREHOUSE = (("commit", "commit"), ("ops.", "ledger"), ("copy", "rows"), ("delete from", "rows"), ("insert", "rows"))


def place(server: str, event: str) -> str:
    """Group events for people: ``lake: write part``, ``warehouse: commit``."""
    if event == CONNECT:
        return f"{server}: connect"
    if server == "lake":
        objects = next((name for part, name in _LAKE if part in event), "checkpoint")
        return f"lake: {'read' if event.startswith(('GET', 'HEAD')) else 'write'} {objects}"
    if server == "source":
        return f"source: {'rows' if event.startswith('copy') and 'count(' not in event else 'query'}"
    return f"warehouse: {next((name for part, name in _WAREHOUSE if part in event), 'query')}"
