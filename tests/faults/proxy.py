"""A TCP proxy that can fail: it stands in front of one server and lets at most one fault happen at a time."""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.faults.answers import answer
from tests.faults.fault import Fault, Kind, Way
from tests.faults.wire import BytesReader, Event, HttpReader, PostgresReader

HOST = "127.0.0.1"
DELAY = 0.3  # seconds
_CHUNK = 1 << 16

Reader = HttpReader | PostgresReader | BytesReader


class Proxy:
    """Listens on a port of its own and passes everything on to a server.

    :param name: the server's, as faults name it.
    :param port: the server's port on loopback.
    :param reader: finds the events in what a client sends.
    :param kill: ends the worker whose connections these are; returns when it is gone.
    """

    def __init__(self, name: str, port: int, reader: type[Reader], kill: Callable[[], None]) -> None:
        self.name, self._target, self.reader, self._kill = name, port, reader, kill
        self._lock = threading.Lock()
        self._links: set[Link] = set()
        self._release = threading.Event()
        self.stalled = threading.Event()
        self.arm(None)
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def arm(self, fault: Fault | None) -> None:
        """Let a fault happen when its moment comes, or none; what passed is forgotten."""
        with self._lock:
            self._fault = fault
            self._watched: Link | None = None  # where the fault's event was seen
            self.events: list[Event] = []
            self._names: Counter[str] = Counter()
        self.stalled.clear()
        self._release.clear()

    def disarm(self) -> list[Event]:
        """End every connection that is left, and what is stalled; return what passed."""
        self._release.set()
        for link in list(self._links):
            link.close()
        for link in list(self._links):
            link.join()
        events = self.events
        self.arm(None)
        return events

    def release(self) -> None:
        """Let what was held pass."""
        self._release.set()

    def refuse(self) -> None:
        """Stop listening."""
        _end(self._listener)

    def accept(self) -> None:
        """Listen again."""
        self._listener = self._listen(self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.disarm()

    def sent(self, link: "Link", data: bytes) -> tuple[int, Fault] | None:
        """Note what a client sends; return how many bytes may pass, and the fault that stops the others, if any."""
        with self._lock:
            stop, position = None, 0
            for start, name in link.reader.read(data):
                self._pass(link, Way.UP, start - position)
                stop, position = stop or self._stop(link, Way.UP, position, start), start
                self._names[name] += 1
                link.event = Event(name, self._names[name])
                self.events.append(link.event)
                stop = stop or self._begin(link, start)
            stop = stop or self._stop(link, Way.UP, position, len(data))
            self._pass(link, Way.UP, len(data) - position)
            return stop

    def received(self, link: "Link", data: bytes) -> tuple[int, Fault] | None:
        """Note what a server sends; return as :meth:`sent` does."""
        with self._lock:
            stop = self._stop(link, Way.DOWN, 0, len(data)) if link.reader.is_answer(data) else None
            self._pass(link, Way.DOWN, len(data))
            return stop

    def _pass(self, link: "Link", way: Way, count: int) -> None:
        if link.event and way is Way.UP:
            link.event.up += count
        elif link.event:
            link.event.down += count

    def _begin(self, link: "Link", start: int) -> tuple[int, Fault] | None:
        """Look at the event that has just begun."""
        fault = self._fault
        if fault is None or fault.fired == fault.times:
            return None
        if fault.fired:  # an outage goes on at whatever comes next
            return self._fire(start)
        if link.event and (link.event.name, link.event.nth) == (fault.trigger.event, fault.trigger.nth):
            self._watched, self._left = link, fault.trigger.after
        return None

    def _stop(self, link: "Link", way: Way, start: int, stop: int) -> tuple[int, Fault] | None:
        """See whether the moment lies in these bytes of the watched connection."""
        fault = self._fault
        if fault is None or fault.fired or self._watched is not link or fault.trigger.way is not way:
            return None
        if self._left < stop - start:
            return self._fire(start + self._left)
        self._left -= stop - start
        return None

    def _fire(self, keep: int) -> tuple[int, Fault]:
        assert self._fault
        self._fault.fired += 1
        return keep, self._fault

    def act(self, fault: Fault, link: "Link", held: bytes) -> bool:
        """Let the fault happen to a connection; return whether it goes on."""
        if fault.kind is Kind.DELAY:
            time.sleep(DELAY)
            return True
        if fault.kind in (Kind.KILL, Kind.LATE):
            self._kill()
        if fault.kind is Kind.LATE:
            self.stalled.set()
            self._release.wait()
            return True
        elif fault.kind is Kind.STALL:
            self.stalled.set()
            self._release.wait()
        elif fault.kind is Kind.RESET:
            link.reset()
        elif fault.kind.is_answer:
            answer(link.client, held, fault.kind)
        return False

    def forget(self, link: "Link") -> None:
        """Drop a connection that has ended."""
        self._links.discard(link)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server((HOST, port))
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        return listener

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # closed
                return
            try:
                link = Link(self, client, socket.create_connection((HOST, self._target)))
            except OSError:  # the server is down: so are we
                client.close()
                continue
            self._links.add(link)
            link.start()


class Link:
    """One connection through a proxy: a thread for each way."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self.client, self._server = proxy, client, server
        self.reader = proxy.reader()
        self.event: Event | None = None
        ways = ((proxy.sent, client, server), (proxy.received, server, client))
        self._threads = [threading.Thread(target=self._pump, args=way, daemon=True) for way in ways]
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        """Begin to pass bytes on."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the end; what was closed before it started ends by itself."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(10)

    def _pump(
        self,
        look: Callable[["Link", bytes], tuple[int, Fault] | None],
        source: socket.socket,
        target: socket.socket,
    ) -> None:
        with suppress(OSError):  # the other way's thread, or another side, has closed
            while data := source.recv(_CHUNK):
                keep, fault = look(self, data) or (len(data), None)
                target.sendall(data[:keep])
                if fault and not self._proxy.act(fault, self, data[keep:]):
                    break
                target.sendall(data[keep:])
        self.close()
        self._proxy.forget(self)

    def reset(self) -> None:
        """Break both connections: closed like this they send RST, where a shutdown would send FIN before."""
        for end in (self.client, self._server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)  # wakes the thread that waits for it
            end.close()

    def close(self) -> None:
        """End both connections."""
        for end in (self.client, self._server):
            _end(end)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
    end.close()
