"""Identities are planted in every kind of source: no rule lets one through, whatever becomes of its row."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
import zstandard
from botocore.exceptions import ClientError

from datastack.contract.privacy import MASKED
from datastack.operators.conform import ConformOperator
from datastack.operators.copy import CopyOperator
from datastack.operators.extract_api import ExtractApiOperator
from datastack.operators.extract_documents import ExtractDocumentsOperator
from datastack.operators.extract_files import ExtractFilesOperator
from datastack.operators.move import MoveDatabaseOperator
from datastack.operators.stream import ToleranceError
from tests.integration import planted
from tests.integration.harness import Stack, bucket_of
from tests.integration.planted import MARK, STREAMS, identity
from tests.integration.stub_api import StubApi

WINDOW = ("2016-01-01T00:00:00Z", "2030-01-01T00:00:00Z")
RESTRICTED = {"note": "people", "metadata": "scans"}


class Told:
    """Everything that is logged or printed, and errors; but not what boto writes of each answer at level DEBUG."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
        self._caplog, self._capfd, self._errors = caplog, capfd, list[str]()
        caplog.set_level(logging.DEBUG)
        for wire in ("botocore", "urllib3"):
            caplog.set_level(logging.INFO, wire)

    @contextmanager
    def error(self, kind: type[Exception]) -> Iterator[None]:
        """Expect an error."""
        with pytest.raises(kind) as caught:
            yield
        self._errors.append(str(caught.getrepr(showlocals=False)))

    def text(self) -> str:
        records = [logging.Formatter().format(record) for record in self._caplog.records]
        return "\n".join([*records, *self._capfd.readouterr(), *self._errors])


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Told:
    return Told(caplog, capfd)


@pytest.fixture
def declarations(stack: Stack, stub_api: StubApi, tmp_path: Path) -> Iterator[Path]:
    stub_api.records = {"/people": planted.pages()}
    planted.plant_in_database(stack)
    planted.plant_in_bucket(stack)
    with planted.declared(stack, tmp_path, stub_api.url):
        yield tmp_path
    stack.shop("drop table people")


def load(stack: Stack) -> None:
    """Bring every stream to the warehouse, and through its gate."""
    stack.run(MoveDatabaseOperator(**named("people_db", "people")), WINDOW)
    landed = stack.run(ExtractApiOperator(**named("people_api", "people")), WINDOW)
    for stream in STREAMS["people_api"]:
        go_on(stack, "people_api", stream, landed)
    go_on(stack, "people_files", "people", stack.run(ExtractFilesOperator(**named("people_files", "people")), WINDOW))
    for stream in ("papers", "scans"):
        conformed = stack.run(ExtractDocumentsOperator(**named("people_files", stream)), WINDOW)
        stack.run(CopyOperator(manifest_key=conformed, **named("people_files", stream)))
    for source, streams in STREAMS.items():
        for stream in streams:
            stack.gate(source, stream)


def go_on(stack: Stack, source: str, stream: str, landed: Any) -> None:
    names = named(source, stream)
    conformed = stack.run(ConformOperator(manifest_key=landed, **names))
    stack.run(CopyOperator(manifest_key=conformed, **names))


def named(source: str, stream: str) -> dict[str, str]:
    return {"task_id": "task", "source": source, "stream": stream}


def readable(key: str, content: bytes) -> str:
    """What an object of the lake says, values and metadata."""
    if key.endswith(".parquet"):
        file = pq.ParquetFile(io.BytesIO(content))
        statistics = [file.metadata.row_group(n).to_dict() for n in range(file.metadata.num_row_groups)]
        return f"{file.read().to_pylist()} {file.schema_arrow.metadata} {statistics}"
    return (zstandard.ZstdDecompressor().stream_reader(content).read() if key.endswith(".zst") else content).decode()


def test_no_identity_gets_through(stack: Stack, declarations: Path, told: Told):
    load(stack)
    objects = {key: readable(key, stack.get(key)) for key in stack.objects() if not key.endswith("/")}
    holding = {key for key, text in objects.items() if MARK in text}
    restricted = {key for key in holding if key.startswith("conformed/") and not key.endswith(".json")}
    assert {key.split("/")[2] for key in restricted} == {"people", "scans"}
    for key in restricted:
        assert identities(objects[key]) <= {"restrict"}
    assert {key.split("/")[0] for key in holding - restricted} == {"landing", "quarantine"}
    assert_landing_is_closed(stack, holding - restricted)
    assert_warehouse_is_clean(stack)
    text = told.text()
    assert "people_files.people" in text
    assert MARK not in text, text[text.index(MARK) - 500 :][:1000]


def identities(text: str) -> set[str]:
    """Rules of the identities in a text."""
    return {part.split(".")[1] for part in text.split(f"{MARK}")[1:] for part in [f"x{part}"]}


def assert_landing_is_closed(stack: Stack, keys: set[str]) -> None:
    """What holds identities can be read with the credentials of landing, and with no others but the administrator's."""
    for user in ("lake", "partner", "partner_reader"):
        client = stack.lake.client(stack.lake.identities[user])
        for key in keys:
            with pytest.raises(ClientError, match="AccessDenied"):
                client.get_object(Bucket=bucket_of(key), Key=key)
    client = stack.lake.client(stack.lake.identities["landing"])
    assert all(client.get_object(Bucket=bucket_of(key), Key=key)["Body"].read() for key in keys)


def assert_warehouse_is_clean(stack: Stack) -> None:
    """Rows are there by their pseudonyms; all that is in plain text are restricted columns, closed to consumers."""
    loaded = {source: (f"raw_{source}.people", kind) for source, kind in SHORT.items()}
    for table, kind in loaded.values():
        rows = stack.rows(f"select email, phone, note from {table} order by id")
        assert rows[:2] == [
            (stack.pseudonym(identity("hash", kind, n)), MASKED, identity("restrict", kind, n)) for n in (1, 2)
        ]
    columns = stack.rows(
        "select table_schema || '.' || table_name, column_name from information_schema.columns "
        "where table_schema ~ '^(raw_|ops|staging|intermediate|build_|marts|ml)'"
    )
    assert not {"ssn", "nickname"} & {name for _, name in columns}
    found = set()
    for table, column in columns:
        if stack.one(f'select count(*) from {table} as t where t."{column}"::text like %s', f"%{MARK}%"):
            found.add((column, table.split(".")[1]))
    assert found == set(RESTRICTED.items())
    for role in ("analyst", "ml"):
        with stack.warehouse.connect("warehouse", role, stack.servers.secrets[f"PG_{role.upper()}_PASSWORD"]) as db:
            for table, _ in loaded.values():
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    db.execute(f"select note from {table}")


SHORT = {"people_db": "db", "people_api": "api", "people_files": "csv"}


def test_errors_about_rows_that_do_not_fit_show_no_identity(stack: Stack, declarations: Path, told: Told):
    for source in STREAMS:
        planted.write_contracts(declarations, source, {"rows": 0, "share": 0})
    with told.error(ToleranceError):
        stack.run(MoveDatabaseOperator(**named("people_db", "people")), WINDOW)
    landed = stack.run(ExtractApiOperator(**named("people_api", "people")), WINDOW)
    files = stack.run(ExtractFilesOperator(**named("people_files", "people")), WINDOW)
    for source, stream, key in (
        ("people_api", "people", landed),
        ("people_api", "contacts", landed),
        ("people_files", "people", files),
    ):
        with told.error(ToleranceError):
            stack.run(ConformOperator(manifest_key=key, **named(source, stream)))
    text = told.text()
    assert text.count("don't fit people.odcs.yaml") >= 3
    assert MARK not in text, text[text.index(MARK) - 500 :][:1000]
    assert_lake_bucket_is_clean(stack)


def test_what_an_interrupted_run_leaves_shows_no_identity(stack: Stack, stub_api: StubApi, tmp_path: Path):
    """The bounds of chunks are keys, and stored: a table whose key is personal is not taken apart."""
    stub_api.records = {"/people": planted.pages()}
    planted.plant_in_database(stack)
    stack.shop("delete from people where email is null; alter table people drop constraint people_pkey")
    stack.shop("alter table people add primary key (email)")
    stack.shop("analyze people")
    with planted.declared(stack, tmp_path, stub_api.url, chunks={"rows": 1}):
        planted.write_contracts(tmp_path, "people_db", {"rows": 0, "share": 0}, key="email")
        with pytest.raises(ToleranceError):
            stack.run(MoveDatabaseOperator(**named("people_db", "people")), WINDOW)
    stack.shop("drop table people")
    [plan] = [key for key in stack.objects() if "plan.json" in key]
    assert len(json.loads(stack.get(plan))["chunks"]) == 1
    assert_lake_bucket_is_clean(stack)


def assert_lake_bucket_is_clean(stack: Stack) -> None:
    """Nothing but restricted values is in plain text where everybody may read who may read conformed data."""
    for key in stack.objects():
        if bucket_of(key) == "lake":
            assert identities(readable(key, stack.get(key))) <= {"restrict"}, key
