"""One child server process: started with its output in a log file, stopped by its own pid only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.net import wait_until


class ServerProcess:
    """Owns one child process.

    :param name: what messages call it.
    :param log: file that receives its output, appended.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(
        self,
        command: Sequence[str],
        ready: Callable[[], bool],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> None:
        """Start the command and wait until `ready()`; raise RuntimeError with the end of its log otherwise."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                # Its own session: Ctrl-C in the terminal must not reach it before its clients.
                start_new_session=True,
            )
        try:
            wait_until(lambda: self.pid is None or ready(), timeout, f"{self.name} is not ready")
        except TimeoutError as error:
            self.stop(signal.SIGKILL)
            raise RuntimeError(f"{error}; the end of {self.log}:\n{self._tail()}") from error
        if self.pid is None:
            raise RuntimeError(f"{self.name} ended at once; the end of {self.log}:\n{self._tail()}")

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout: float = 20) -> None:
        """Signal the process and wait for its end; kill it after `timeout` seconds. Nothing when not running."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(how)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
