"""Loopback ports: which are free, which answer."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable

HOST = "127.0.0.1"
SERVER_PORTS = (20_000, 32_768)  # Linux takes 32768 and up for outgoing connections, others 49152 and up (RFC 6335)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT is free, a port with a listener (here or on 0.0.0.0) is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def is_open(port: int, timeout: float = 1.0) -> bool:
    """Tell whether something accepts connections on this loopback port."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=timeout):
        return True
    return False


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that are free now (another server may still take them).

    They lie below the range from which systems take the ports of outgoing connections: one of those could have a port
    before the server does that it is meant for.
    """
    found: list[int] = []
    for port in random.sample(range(*SERVER_PORTS), SERVER_PORTS[1] - SERVER_PORTS[0]):
        if len(found) == count:
            break
        if is_free(port):
            found.append(port)
    return found


def wait_until(ready: Callable[[], bool], timeout: float, what: str, interval: float = 0.1) -> None:
    """Poll until `ready()` is true; raise TimeoutError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} after {timeout:.0f} s")
        time.sleep(interval)
