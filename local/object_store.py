"""The embedded S3: SeaweedFS, all its parts in one process, on loopback, with credentials.

The gateway checks S3 signatures. The parts behind it are closed as well: volume and filer want a token signed with
a key made at start, which only this process knows.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from local.net import HOST, free_ports
from local.process import ServerProcess

REGION = "us-east-1"


@dataclass(frozen=True)
class Identity:
    """Who may do what: an access key with its secret, and actions by bucket.

    :param rights: bucket → actions, of Read, Write (deleting included), List and Tagging; None for everything.
    """

    name: str
    access_key: str
    secret_key: str
    rights: Mapping[str, Sequence[str]] | None = None

    def rendered(self) -> dict[str, Any]:
        """Return it in the words of the server's file."""
        everything = ["Admin", "Read", "Write", "List", "Tagging"]
        of_buckets = [f"{action}:{bucket}" for bucket, actions in (self.rights or {}).items() for action in actions]
        keys = {"accessKey": self.access_key, "secretKey": self.secret_key}
        return {"name": self.name, "credentials": [keys], "actions": of_buckets if self.rights else everything}


def rendered(identities: Iterable[Identity]) -> dict[str, Any]:
    """Return the content of the server's file of identities."""
    return {"identities": [identity.rendered() for identity in identities]}


def connect(endpoint: str, access_key: str, secret_key: str) -> Any:
    """Return a boto3 S3 client that gives up quickly."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(connect_timeout=3, read_timeout=30, retries={"total_max_attempts": 1}),
    )


@dataclass(frozen=True)
class Ports:
    """Loopback ports of the object store: the S3 gateway, and the parts behind it."""

    s3: int
    s3_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    filer: int
    filer_grpc: int

    @classmethod
    def free(cls) -> Self:
        """Choose ports that are free now."""
        return cls(*free_ports(8))


class Server:
    """One object store.

    :param data_dir: its data folder; created when missing.
    :param identities: who is let in; the first one may do everything.
    :param ports: loopback ports; free ones unless given.
    :param log: file for the server's log; `<data_dir>.log` unless given.
    """

    def __init__(
        self,
        data_dir: Path,
        identities: Sequence[Identity],
        *,
        ports: Ports | None = None,
        log: Path | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.identities = {identity.name: identity for identity in identities}
        self.admin = identities[0]
        self.ports = ports or Ports.free()
        self._process = ServerProcess("The object store", log or self.data_dir.with_suffix(".log"))

    @property
    def endpoint(self) -> str:
        """Address of the S3 gateway."""
        return f"http://{HOST}:{self.ports.s3}"

    @property
    def pid(self) -> int | None:
        """Process id of the server that this object started, else None."""
        return self._process.pid

    @property
    def identities_file(self) -> Path:
        """Where the server reads who is let in; closed to other users, for it has the secrets."""
        return self.data_dir.with_suffix(".identities.json")

    def client(self, identity: Identity | None = None) -> Any:
        """Return a boto3 S3 client that gives up quickly; as the one that may do everything unless told."""
        identity = identity or self.admin
        return connect(self.endpoint, identity.access_key, identity.secret_key)

    def is_ready(self) -> bool:
        """Tell whether the gateway answers a signed request."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client().list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True

    def create_buckets(self, names: Iterable[str]) -> None:
        """Create the buckets that do not exist yet."""
        client = self.client()
        existing = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for name in set(names) - existing:
            client.create_bucket(Bucket=name)

    def command(self) -> list[str]:
        """Return the command that runs the store in the foreground."""
        ports = self.ports
        return [
            str(Path(sys.executable).with_name("weed")), "-logtostderr=true", "server", f"-dir={self.data_dir}",
            f"-ip={HOST}", f"-ip.bind={HOST}", "-volume.max=100", "-volume.preStopSeconds=0",
            f"-master.port={ports.master}", f"-master.port.grpc={ports.master_grpc}",
            "-master.volumeSizeLimitMB=1024", "-master.electionTimeout=1s", "-master.heartbeatInterval=100ms",
            f"-volume.port={ports.volume}", f"-volume.port.grpc={ports.volume_grpc}",
            "-filer", f"-filer.port={ports.filer}", f"-filer.port.grpc={ports.filer_grpc}",
            "-s3", f"-s3.port={ports.s3}", f"-s3.port.grpc={ports.s3_grpc}", "-s3.iam=false",
            f"-s3.config={self.identities_file}",
            # Catalogues for table formats, which would listen on ports of their own.
            "-s3.port.iceberg=0", "-s3.port.lance=0",
        ]  # fmt: skip

    def env(self) -> dict[str, str]:
        """Return what the server's environment needs: keys that close its inner parts."""
        inner = ("JWT_SIGNING", "JWT_SIGNING_READ", "JWT_FILER_SIGNING", "JWT_FILER_SIGNING_READ")
        return {f"WEED_{name}_KEY": secrets.token_hex(32) for name in inner}

    def exec(self) -> None:
        """Become the server: replace this process by it."""
        self._prepare()
        command = self.command()
        os.execve(command[0], command, {**os.environ, **self.env()})  # noqa: S606

    def start(self, timeout: float = 60) -> Self:
        """Start and wait for the first signed request; raise RuntimeError otherwise."""
        self._prepare()
        self._process.start(self.command(), self.is_ready, env=self.env(), timeout=timeout)
        return self

    def stop(self) -> None:
        """Stop the server that this object started. What it has answered is on disk: no need to wait for its 15 s."""
        self._process.stop(timeout=1)
        self.remove_sockets()

    def restart(self) -> Self:
        """Stop and start again on the same ports."""
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _prepare(self) -> None:
        """Remove what a killed server left, and write who is let in: mode 600 from its first byte on."""
        self.remove_sockets()
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.identities_file.unlink(missing_ok=True)
        with os.fdopen(os.open(self.identities_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(rendered(self.identities.values()), file)

    def remove_sockets(self) -> None:
        """Delete the sockets in /tmp by which its parts talk: named for their ports, they outlive a killed server."""
        for port in asdict(self.ports).values():
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                with suppress(OSError):
                    socket.unlink()
