"""The bench's own servers, in a temporary folder on free ports: two databases and an object store."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.addresses import Addresses
from local import bootstrap, object_store, postgres, secrets_store
from local.net import free_ports

BUCKET = "lake"
SOURCE_DATABASE = "retail_db"


@dataclass(frozen=True)
class Servers:
    """What runs while the bench does, and its folder for scratch files."""

    source: postgres.Server
    warehouse: postgres.Server
    lake: object_store.Server
    addresses: Addresses
    folder: Path

    def source_db(self) -> Any:
        """Open an autocommit connection to the source, as administrator."""
        return self.source.connect(SOURCE_DATABASE)

    def warehouse_db(self) -> Any:
        """Open an autocommit connection to the warehouse, as administrator."""
        return self.warehouse.connect("warehouse")

    def empty_lake(self) -> None:
        """Delete all objects: every contender finds the same disk and the same bucket."""
        client = self.lake.client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            if found := [{"Key": item["Key"]} for item in page.get("Contents", ())]:
                client.delete_objects(Bucket=BUCKET, Delete={"Objects": found})


@contextmanager
def running() -> Iterator[Servers]:
    """Start the servers; stop them and delete their data at the end."""
    secrets = secrets_store.generate()
    folder = Path(tempfile.mkdtemp(prefix="datastack-bench-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        source, warehouse = (
            stack.enter_context(postgres.Server(folder / name, port, secrets["PG_POSTGRES_PASSWORD"]))
            for name, port in zip(("source", "warehouse"), free_ports(2), strict=True)
        )
        lake = stack.enter_context(object_store.Server(folder / "s3", bootstrap.s3_identities(secrets)))
        for server in (source, warehouse):
            bootstrap.create_databases(server, secrets)
        bootstrap.prepare_warehouse(warehouse, secrets)
        lake.create_buckets([BUCKET])
        addresses = Addresses(
            source=source.uri(SOURCE_DATABASE),
            warehouse=warehouse.uri("warehouse"),
            loader=warehouse.uri("warehouse", "loader", secrets[secrets_store.password_name("loader")]),
            s3_endpoint=lake.endpoint,
            s3_access_key=lake.admin.access_key,
            s3_secret_key=lake.admin.secret_key,
            bucket=BUCKET,
        )
        yield Servers(source, warehouse, lake, addresses, folder)
