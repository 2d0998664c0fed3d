"""What a person reads when a database can't be read."""

import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest

from datastack.source.connectorx import DIALECTS, Database
from datastack.source.database import Range, Scan, SourceColumn, open_table
from datastack.source.errors import SourceError
from datastack.source.sqlite import SQLite
from local.net import HOST, free_ports, wait_until
from tests.integration.databases import mariadb
from tests.integration.databases.reading import read, values

ID = (SourceColumn("n", "bigint"),)


def refused(kind: str, url: str, scan: Scan) -> str:
    with pytest.raises(SourceError) as found:
        read(kind, url, scan)
    return str(found.value)


def test_missing_table_column_and_file(maria: mariadb.Server, maria_url: str, sqlite: Any):
    with maria.connect() as db:
        db.execute("create or replace table t (n bigint primary key, s varchar(9))")
    sqlite[0].execute("create table t (n bigint primary key, s varchar(9))")
    missing = (*ID, SourceColumn("gone", "text"))
    for kind, url in (("mysql", maria_url), ("sqlite", sqlite[1])):
        assert refused(kind, url, Scan("nope", ID)).startswith("nope does not exist or may not be read. Correct")
        assert refused(kind, url, Scan("t", missing)).startswith("t has no column gone. Correct the contract")
        assert refused(kind, url, Scan("t", ID, ("gone",))).startswith("t has no column gone.")
        assert refused(kind, url, Scan("t", ID, (), Range("gone", 1))).startswith("t has no column gone.")
    assert "'x' is no number" in refused("mysql", maria_url, Scan("t", ID, (), Range("n", "x")))
    assert "can't be compared with 1" in refused("mysql", maria_url, Scan("t", ID, (), Range("s", 1)))
    gone = sqlite[1] + ".gone"
    assert refused("sqlite", gone, Scan("t", ID)).endswith(".gone. Correct the connection")


def test_nothing_listens():
    url = f"mysql://reader:s3cret@{HOST}:{free_ports(1)[0]}/shop"
    message = refused("mysql", url, Scan("t", ID))
    assert "does not answer" in message
    assert "s3cret" not in message


def test_no_message_has_the_password(maria_url: str):
    database = Database("mysql", maria_url, DIALECTS["mysql"])
    encoded = urlsplit(maria_url).password
    for secret in (mariadb.PASSWORD, encoded, maria_url):
        with pytest.raises(SourceError, match=r"^reading t failed: ") as found:
            database.run("reading t", f"select 1 from `nowhere`.`{secret}`")
        assert "***" in str(found.value)
        assert secret[:40] not in str(found.value)
        assert found.value.__cause__ is None


def test_rows_that_do_not_arrive_are_missed(sqlite: Any, monkeypatch: pytest.MonkeyPatch):
    sqlite[0].execute("create table t (n integer)")
    sqlite[0].execute("insert into t values (1)")
    monkeypatch.setattr(SQLite, "count", "count(*) over () + 1")
    assert "the source counts 2 rows, but 1 arrived" in refused("sqlite", sqlite[1], Scan("t", ID))


def test_a_panic_of_the_driver_is_an_error_as_others(maria_url: str):
    with pytest.raises(SourceError, match=r"^reading a point failed: "):
        Database("mysql", maria_url, DIALECTS["mysql"]).run("reading a point", "select point(1, 2) as p")


def test_a_query_that_is_killed_fails_clearly(maria: mariadb.Server, maria_url: str):
    with maria.connect() as db:
        db.execute("create or replace table few (n bigint primary key)")
        db.execute("insert into few select seq from seq_1_to_1000")
        db.execute("create or replace view slow as select n, sleep(0.05) as s from few")
        reader: list[str] = []
        thread = threading.Thread(target=lambda: reader.append(refused("mysql", maria_url, Scan("slow", ID))))
        thread.start()

        def ids() -> list[int]:
            db.execute("select id from information_schema.processlist where user = 'reader' and info like '%`slow`%'")
            return [row[0] for row in db.fetchall()]

        wait_until(lambda: bool(ids()), 30, "no reader")
        for number in ids():
            db.execute(f"kill {number}")
        thread.join(60)
    assert reader
    assert reader[0].startswith("reading slow failed: ")


def test_a_cursor_that_times_can_not_be_compared_with(sqlite: Any):
    db, url = sqlite
    db.execute("create table t (n integer, t text)")
    db.executemany("insert into t values (?, ?)", [(1, "2024-01-01"), (2, None), (3, "2024-01-01T00:00:00+01:00")])
    scan = Scan("t", ID, (), Range("t", datetime(2020, 1, 1, tzinfo=UTC)), ZoneInfo("UTC"))
    assert "in 1 rows the cursor t is no text, or has an offset" in refused("sqlite", url, scan)
    db.execute("delete from t where n = 3")
    assert values(read("sqlite", url, scan), "n") == ["1"]
    db.execute("insert into t values (4, x'00')")
    assert "in 1 rows" in refused("sqlite", url, scan)
    db.execute("create table soon (n integer, t datetime)")
    db.execute("insert into soon values (1, 'soon')")
    with open_table("sqlite", url, Scan("soon", ID)) as table, pytest.raises(SourceError, match="is no time that a"):
        table.highest("t")
