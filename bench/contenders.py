"""Who takes part, and by which command."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import child
from bench.servers import SOURCE_DATABASE, Servers
from bench.tables import ORDERS, ORDERS_TENTH, Table, stream_names
from local.net import HOST
from local.postgres import binaries

ROOT = Path(__file__).parents[1]
ENGINE_SCHEMA = "raw_bench"  # where the engine loads a source of the name `bench`
INCLUDE = "include"  # folder of its declarations, below that of the servers
PEERS_PYTHON = ROOT / ".venv" / "peers" / "bin" / "python"


@dataclass(frozen=True)
class Contender:
    """One way to move a table.

    :param targets: the warehouse tables that it fills, each with all rows of the table.
    :param expected: seconds for three million rows on two cores, to tell a person how long it takes.
    :param scale: by how much its figures are multiplied, where it moves a part only.
    :param target_exists: whether its targets must be there already, empty.
    :param is_peer: whether it may change types: its target is compared after a cast to the source's types.
    """

    name: str
    command: tuple[str, ...]
    targets: tuple[str, ...]
    table: Table = ORDERS
    env: Mapping[str, str] = field(default_factory=dict)
    expected: int = 20
    scale: int = 1
    target_exists: bool = False
    is_peer: bool = False
    note: str = ""


def floor(servers: Servers, table: Table = ORDERS) -> Contender:
    """One COPY piped into another: nothing that passes through a client can be faster."""
    psql = f"{binaries() / 'psql'} --no-psqlrc -q -v ON_ERROR_STOP=1 -h {HOST} -U postgres"
    names = ", ".join(table.names)
    pipe = (
        f"{psql} -p {servers.source.port} -d {SOURCE_DATABASE}"
        f" -c 'copy {table.path} ({names}) to stdout (format binary)' | "
        f"{psql} -p {servers.warehouse.port} -d warehouse"
        f" -c 'copy {table.path} ({names}) from stdin (format binary)'"
    )
    return Contender(
        name="floor: COPY | COPY",
        command=("bash", "-o", "pipefail", "-c", pipe),
        targets=(table.path,),
        table=table,
        env={"PGPASSWORD": servers.source.password},
        expected=10,
        target_exists=True,
        note="binary, no lake in between",
    )


def engine(table: Table = ORDERS, streams: int = 1, note: str = "") -> Contender:
    """Return our engine on one table, moved as one or several streams one after the other in one process."""
    count = f", {streams} streams" if streams > 1 else ""
    return Contender(
        name=f"ours: {table.name}{count}",
        command=_ours("move", *stream_names(table, streams)),
        targets=tuple(f"{ENGINE_SCHEMA}.{stream}" for stream in stream_names(table, streams)),
        table=table,
        note=note,
    )


def as_task(table: Table = ORDERS) -> Contender:
    """Return our engine as a task of a DAG run."""
    return Contender(
        name="ours, as an Airflow task",
        command=(sys.executable, "-m", "bench.as_tasks", table.name),
        targets=(f"{ENGINE_SCHEMA}.{table.name}",),
        table=table,
        note="duration of the task under dag.test(); memory includes Airflow's API server in the same process",
    )


def extract_half(table: Table = ORDERS) -> Contender:
    """Return our engine, source to lake only."""
    return Contender("ours: source to lake", _ours("extract", table.name), (), table)


def load_half(manifest_key: str, table: Table = ORDERS) -> Contender:
    """Return our engine, lake to warehouse only: what :func:`extract_half` has left there."""
    command = _ours("load", table.name, manifest_key)
    return Contender("ours: lake to warehouse", command, (f"{ENGINE_SCHEMA}.{table.name}",), table)


def peers() -> list[Contender]:
    """Return the other tools, each by its best route that goes through S3."""
    python = str(PEERS_PYTHON)
    return [
        Contender(
            name="Sling 1.4.11",
            command=(python, "-m", "bench.peers.sling_route", ORDERS.path, "peer_sling.orders"),
            targets=("peer_sling.orders",),
            expected=110,
            is_peer=True,
            note="CSV in S3, direct insert",
        ),
        *(
            Contender(
                name=f"dlt 1.31, {backend}",
                command=(python, "-m", "bench.peers.dlt_route", backend, ORDERS.name, f"peer_dlt_{backend}"),
                targets=(f"peer_dlt_{backend}.orders",),
                expected=expected,
                is_peer=True,
                note="Parquet in S3, loaded by ADBC",
            )
            for backend, expected in (("connectorx", 45), ("pyarrow", 100))
        ),
        Contender(
            name="SqlToS3 + S3ToSql",
            command=(
                sys.executable, "-m", "bench.peers.airflow_route", ORDERS_TENTH.name, "peer_airflow.orders_tenth",
            ),
            targets=("peer_airflow.orders_tenth",),
            table=ORDERS_TENTH,
            expected=300,
            scale=10,
            target_exists=True,
            is_peer=True,
            note="CSV in S3; a tenth of the rows was moved, seconds and rows times 10, memory as measured",
        ),
    ]  # fmt: skip


def environment(contender: Contender, servers: Servers, report: Path) -> dict[str, str]:
    """Variables of a contender's process."""
    paths = (str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", ""))
    own = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "DATASTACK_INCLUDE": str(servers.folder / INCLUDE),
        "AIRFLOW_HOME": str(servers.folder / "airflow"),
        child.VARIABLE: str(report),
    }
    return {**servers.addresses.environment(), **own, **contender.env}


def _ours(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "bench.ours", *arguments)
