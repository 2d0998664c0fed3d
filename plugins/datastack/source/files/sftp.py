"""Files on an SFTP server."""

import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from datastack.contract.delivered import Delivered
from datastack.source.errors import SourceError
from datastack.source.files.globs import matches, may_hold
from datastack.source.files.store import Description, Readable, Wanted, changed

if TYPE_CHECKING:
    import paramiko

_AHEAD = 4 * 1024 * 1024  # bytes asked for at once: many small requests under way hide the network's delay
_REQUEST = 32 * 1024  # what every server must answer to
_TIMEOUT = 30.0  # seconds without an answer


@dataclass(frozen=True)
class SftpLogin:
    """How to reach a server.

    ``host_key`` is the server's public key, as in a file of known hosts: ``ssh-ed25519 AAAA…``. ``private_key`` is in
    PEM, and ``passphrase`` opens it.
    """

    host: str
    port: int
    user: str
    host_key: str
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)


class SftpStore:
    """A folder on an SFTP server. Symbolic links are left alone: what they name may lie elsewhere.

    :param folder: its path, from the root or from where the login starts.
    """

    readers = 1

    def __init__(self, login: SftpLogin, folder: str) -> None:
        self._login, self._folder = login, folder.rstrip("/") or "/"

    def __enter__(self) -> Self:
        import paramiko

        self._ssh = paramiko.SSHClient()
        try:
            self._connect()
        except (paramiko.SSHException, OSError) as error:
            self._ssh.close()
            raise SourceError(f"connecting to {self._address()} failed: {self._reason(error)}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ssh.close()

    def _connect(self) -> None:
        import paramiko

        login = self._login
        name = login.host if login.port == 22 else f"[{login.host}]:{login.port}"
        try:
            known = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {login.host_key.strip()}")
        except paramiko.hostkeys.InvalidHostKey:
            known = None
        if known is None or known.key is None:
            raise paramiko.SSHException("the connection's host_key is no public key, as ssh-ed25519 AAAA…")
        self._ssh.get_host_keys().add(name, known.key.get_name(), known.key)
        self._ssh.set_missing_host_key_policy(paramiko.RejectPolicy())
        self._ssh.connect(
            login.host,
            login.port,
            login.user,
            password=login.password,
            pkey=_private_key(login),
            allow_agent=False,
            look_for_keys=False,
            timeout=_TIMEOUT,
            banner_timeout=_TIMEOUT,
            auth_timeout=_TIMEOUT,
        )
        self._sftp = self._ssh.open_sftp()
        self._sftp.get_channel().settimeout(_TIMEOUT)

    def list(self, wanted: Wanted) -> list[Delivered]:
        """Regular files that the glob matches; folders that can't hold any are not looked into."""
        return [
            _delivered(key, found)
            for key, found in self._walk("", wanted.files)
            if matches(key, wanted.files, wanted.exclude)
        ]

    def _walk(self, folder: str, pattern: str) -> Iterator[tuple[str, Any]]:
        with self.named("listing", folder):
            entries = self._sftp.listdir_attr(self._path(folder))
        for entry in entries:
            key = f"{folder}/{entry.filename}" if folder else entry.filename
            mode = entry.st_mode or 0
            if stat.S_ISREG(mode):
                yield key, entry
            elif stat.S_ISDIR(mode) and may_hold(key, pattern):
                yield from self._walk(key, pattern)

    @contextmanager
    def open(self, delivered: Delivered) -> Iterator[Readable]:
        """Open a file; its size and time of modification are compared before and after."""
        with self.named("reading", delivered.key, delivered):
            file = self._sftp.open(self._path(delivered.key), "rb")
        with file:
            with self.named("reading", delivered.key, delivered):
                self._check(delivered, file.stat())
            yield _Ahead(self, file, delivered)
            with self.named("reading", delivered.key, delivered):
                self._check(delivered, self._sftp.lstat(self._path(delivered.key)))

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        with self.named("looking for", key):
            try:
                self._sftp.lstat(self._path(key))
            except FileNotFoundError:
                return False
        return True

    def describe(self, delivered: Delivered) -> Description:
        """Return nothing: SFTP knows no more than size and time."""
        return Description()

    def _check(self, delivered: Delivered, found: Any) -> None:
        if _delivered(delivered.key, found) != delivered:
            raise changed(f"{self._address()}{self._path(delivered.key)}", delivered)

    def _path(self, key: str) -> str:
        return f"{self._folder.rstrip('/')}/{key}" if key else self._folder

    def _address(self) -> str:
        return f"sftp://{self._login.host}:{self._login.port}"

    @contextmanager
    def named(self, doing: str, key: str, delivered: Delivered | None = None) -> Iterator[None]:
        """Name the file in every error of the server's."""
        import paramiko

        what = f"{self._address()}/{self._path(key).lstrip('/')}"
        try:
            yield
        except FileNotFoundError as error:
            if delivered:
                raise changed(what, delivered) from error
            raise SourceError(f"{doing} {what} failed: it is not there") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise SourceError(f"{doing} {what} failed: {self._reason(error)}") from error

    def _reason(self, error: BaseException) -> str:
        import paramiko

        if isinstance(error, paramiko.BadHostKeyException):
            return (
                f"its host key is {error.key.get_name()} {error.key.get_base64()}, not the one that the connection "
                "names. Ask the owner whether it was changed before you trust it"
            )
        return str(error) or type(error).__name__


class _Ahead:
    """Reads a file with many requests under way, and a bounded number of bytes in memory."""

    def __init__(self, store: SftpStore, file: "paramiko.SFTPFile", delivered: Delivered) -> None:
        self._store, self._file, self._delivered, self._at = store, file, delivered, 0
        self._held = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; fewer than the file has end it early, which whoever counts them sees."""
        if not self._held:
            self._held = memoryview(self._next())
        taken, self._held = self._held[:size], self._held[size:]
        return bytes(taken)

    def _next(self) -> bytes:
        end = min(self._at + _AHEAD, self._delivered.bytes)
        asked = [(at, min(_REQUEST, end - at)) for at in range(self._at, end, _REQUEST)]
        with self._store.named("reading", self._delivered.key, self._delivered):
            content = b"".join(self._file.readv(asked))
        self._at += len(content)
        return content


def _delivered(key: str, found: Any) -> Delivered:
    modified_at = datetime.fromtimestamp(found.st_mtime or 0, UTC)
    return Delivered(
        key=key, etag=f"{found.st_size}-{found.st_mtime}", modified_at=modified_at, bytes=found.st_size or 0
    )


def _private_key(login: SftpLogin) -> Any:
    import paramiko

    if not login.private_key:
        return None
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(login.private_key), password=login.passphrase)
        except paramiko.PasswordRequiredException:
            raise
        except (paramiko.SSHException, ValueError):
            continue
    raise paramiko.SSHException("the connection's private_key can't be read: is it in PEM, and the passphrase right?")
