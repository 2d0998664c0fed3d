"""An SFTP server on a folder of the test's own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

USER, PASSWORD = "partner", "sesame"


@dataclass
class Sftp:
    """The server: its folder is the root that the login sees."""

    folder: Path
    port: int
    host_key: str
    client_key: str


class _Server(asyncssh.SSHServer):
    def __init__(self, authorized: asyncssh.SSHKey) -> None:
        self._authorized = authorized

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key == self._authorized.convert_to_public()


@contextmanager
def serving(folder: Path) -> Iterator[Sftp]:
    """Run a server."""
    loop = asyncio.new_event_loop()
    host_key, client_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))

    async def listen() -> Any:
        return await asyncssh.create_server(
            lambda: _Server(client_key),
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder).encode()),
        )

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
    public = host_key.export_public_key().decode().strip()
    try:
        yield Sftp(folder, server.get_port(), public, client_key.export_private_key().decode())
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
