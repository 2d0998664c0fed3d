"""Faults between a task and a partner's web or SFTP server: each file arrives once, whole, in the end."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.faults.bench import Bench
from tests.faults.fault import Fault
from tests.faults.plan import Plan, Pool
from tests.faults.test_faults import SEED
from tests.faults.wire import BytesReader, HttpReader
from tests.faults.worker import Ended, Task
from tests.integration.files import ssh, web
from tests.integration.files.partner import Partner, csv_of, name_of, week

OTHERS = 8  # faults beyond being killed at every boundary
SINCE = datetime(2019, 11, 12, tzinfo=UTC)
ROWS = 2000
Deliver = Callable[[bytes, datetime], None]


@contextmanager
def web_server(partner: Partner, _: Path) -> Iterator[tuple[int, Callable[[int], dict[str, Any]], Deliver]]:
    with web.serving() as server:
        partner.at("http", "/out", conn_type="http", host=server.url)
        partner.declare({"files": "sales_{period}.csv"})

        def deliver(content: bytes, modified_at: datetime) -> None:
            server.files[f"/out/{name_of(1)}"] = web.File(content, modified_at)

        def connection(port: int) -> dict[str, Any]:
            return {"conn_type": "http", "host": f"http://127.0.0.1:{port}"}

        yield int(server.url.rsplit(":", 1)[1]), connection, deliver


@contextmanager
def sftp_server(partner: Partner, folder: Path) -> Iterator[tuple[int, Callable[[int], dict[str, Any]], Deliver]]:
    with ssh.serving(folder) as server:

        def connection(port: int) -> dict[str, Any]:
            login = {"conn_type": "sftp", "host": "127.0.0.1", "port": port, "login": ssh.USER}
            return login | {"password": ssh.PASSWORD, "extra": {"host_key": server.host_key}}

        partner.at("sftp", "/", **connection(server.port))
        partner.declare()

        def deliver(content: bytes, modified_at: datetime) -> None:
            file = folder / name_of(1)
            file.write_bytes(content)
            os.utime(file, (modified_at.timestamp(), modified_at.timestamp()))

        yield server.port, connection, deliver


@pytest.mark.parametrize(("name", "serve", "reader"), [
    ("web", web_server, HttpReader), ("sftp", sftp_server, BytesReader),
])  # fmt: skip
def test_a_file_arrives_once_and_whole(
    partner: Partner,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    name: str,
    serve: Any,
    reader: Any,
):
    chance = random.Random(f"{SEED}.{name}")  # noqa: S311
    with ExitStack() as opened:
        port, connection, deliver = opened.enter_context(serve(partner, tmp_path_factory.mktemp("drop")))
        bench = opened.enter_context(Bench(partner.stack, **{name: (port, reader)}))
        bench.connections["partner"] = (name, connection)
        deliver(csv_of(*range(ROWS)), SINCE)
        ended, profile = bench.run(task(bench, 0))
        assert not ended.failed, ended.details
        found = {name: profile[name]}
        faults = [*Plan(found, chance, Pool((), 1)).all(OTHERS)]
        for number, fault in enumerate(faults, 1):
            ids = range(number, ROWS)
            deliver(csv_of(*ids), SINCE + timedelta(hours=number))
            partner.go_on(landed(bench, number, fault).result)
            assert partner.ids() == [*ids], f"{fault}, seed {SEED}"
    fired = sum(bool(fault.fired) for fault in faults)
    assert fired >= len(faults) * 0.8
    with capsys.disabled():
        print(f"\n{name}: {fired} faults, nothing lost, nothing twice")  # noqa: T201


def landed(bench: Bench, number: int, fault: Fault) -> Ended:
    """Land a file under a fault and, if that fails, without one."""
    ended, _ = bench.run(task(bench, number), 1, fault)
    assert fault.fired or not ended.failed, ended.details
    if ended.failed:
        ended, _ = bench.run(task(bench, number), 2)
    assert not ended.failed, f"{fault}: {ended.details}"
    return ended


def task(bench: Bench, number: int) -> Task:
    return Task("partner", "sales", "extract", week(1), f"run {number}", None, bench.environment)
