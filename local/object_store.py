"""The embedded S3: SeaweedFS, all its parts in one process, on loopback, with credentials.

The gateway checks S3 signatures. The parts behind it are closed as well: volume and filer want a token signed with
a key made at start, which only this process knows.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from local.net import HOST, free_ports
from local.process import ServerProcess

REGION = "us-east-1"


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
    :param access_key: S3 access key, the only one that is let in.
    :param secret_key: its secret.
    :param ports: loopback ports; free ones unless given.
    :param log: file for the server's log; `<data_dir>.log` unless given.
    """

    def __init__(
        self,
        data_dir: Path,
        access_key: str,
        secret_key: str,
        *,
        ports: Ports | None = None,
        log: Path | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.access_key = access_key
        self.secret_key = secret_key
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

    def client(self) -> Any:
        """Return a boto3 S3 client that gives up quickly."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(connect_timeout=3, read_timeout=30, retries={"total_max_attempts": 1}),
        )

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
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        ports = self.ports
        return [
            str(Path(sys.executable).with_name("weed")), "-logtostderr=true", "server", f"-dir={self.data_dir}",
            f"-ip={HOST}", f"-ip.bind={HOST}", "-volume.max=100", "-volume.preStopSeconds=0",
            f"-master.port={ports.master}", f"-master.port.grpc={ports.master_grpc}",
            "-master.volumeSizeLimitMB=1024", "-master.electionTimeout=1s", "-master.heartbeatInterval=100ms",
            f"-volume.port={ports.volume}", f"-volume.port.grpc={ports.volume_grpc}",
            "-filer", f"-filer.port={ports.filer}", f"-filer.port.grpc={ports.filer_grpc}",
            "-s3", f"-s3.port={ports.s3}", f"-s3.port.grpc={ports.s3_grpc}", "-s3.iam=false",
            # Catalogues for table formats, which would listen on ports of their own.
            "-s3.port.iceberg=0", "-s3.port.lance=0",
        ]  # fmt: skip

    def env(self) -> dict[str, str]:
        """Return what the server's environment needs: the one identity, and keys that close its inner parts."""
        inner = ("JWT_SIGNING", "JWT_SIGNING_READ", "JWT_FILER_SIGNING", "JWT_FILER_SIGNING_READ")
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            **{f"WEED_{name}_KEY": secrets.token_hex(32) for name in inner},
        }

    def exec(self) -> None:
        """Become the server: replace this process by it."""
        self.remove_sockets()
        command = self.command()
        os.execve(command[0], command, {**os.environ, **self.env()})  # noqa: S606

    def start(self, timeout: float = 60) -> Self:
        """Start and wait for the first signed request; raise RuntimeError otherwise."""
        self.remove_sockets()
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

    def remove_sockets(self) -> None:
        """Delete the sockets in /tmp by which its parts talk: named for their ports, they outlive a killed server."""
        for port in asdict(self.ports).values():
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                with suppress(OSError):
                    socket.unlink()
