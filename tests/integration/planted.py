"""People with unmistakable identities, behind every kind of source; one column for each privacy rule."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from datastack.contract.registry import load_source
from tests.integration.harness import ROOT, Stack

MARK = "Quidnunc"  # in every identity, and nowhere else
BUCKET = "planted"
RULES = {"email": "hash", "phone": "mask", "ssn": "drop", "note": "restrict"}
TOLERANT = {"rows": 100, "share": 1.0}
STREAMS = {
    "people_db": ("people",),
    "people_api": ("people", "contacts"),
    "people_files": ("people", "papers", "scans"),
}
_TYPES = {"id": "bigint", "email": "text", "phone": "text", "ssn": "text", "note": "text", "age": "integer"}
_DOCUMENT = {"key": "text", "bytes": "bigint", "etag": "text", "modified_at": "timestamptz", "lake_key": "text"}


def identity(what: str, source: str, number: int) -> str:
    """What must be seen nowhere."""
    return f"{MARK}.{what}.{source}.{number}@example.org"


def person(source: str, number: int, **changes: Any) -> dict[str, Any]:
    """One row, with a field that no contract knows."""
    told = {name: identity(rule, source, number) for name, rule in RULES.items()}
    return {"id": number, **told, "age": 30, "nickname": identity("unknown", source, number)} | changes


def people(source: str) -> list[dict[str, Any]]:
    """Rows: two that fit, and two that don't."""
    return [
        person(source, 1),
        person(source, 2),
        person(source, 3, age="old"),
        person(source, 4, email=None),
    ]


def plant_in_database(stack: Stack) -> None:
    """Make a table in the shop's database."""
    stack.shop("drop table if exists people")
    columns = "id bigint primary key, email text unique, phone text, ssn text, note text, age text, nickname text"
    stack.shop(f"create table people ({columns})")
    stack.shop("grant select on people to retail_reader")
    for row in people("db"):
        stack.shop("insert into people values (%s, %s, %s, %s, %s, %s, %s)", *row.values())


def pages() -> list[Any]:
    """Records of the API: those that every source has, with contacts in them, and strange ones."""
    contacts = [{"email": identity("hash", "contact", 1)}, {"email": {"at": identity("hash", "contact", 2)}}]
    strange = [
        person("api", 5, email={"at": identity("hash", "api", 5)}, age=[1]),
        identity("record", "api", 6),
        person("api", 7, phone=[identity("mask", "api", 7)]),
    ]
    return [row | {"contacts": contacts} for row in people("api")] + strange


def plant_in_bucket(stack: Stack) -> None:
    """Deliver a CSV file and a document for each stream."""
    text = io.StringIO()
    rows = people("csv")
    writer = csv.writer(text)
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    writer.writerow(["5", identity("hash", "csv", 5), identity("ragged", "csv", 5)])
    stack.lake.create_buckets([BUCKET])
    client = stack.lake.client()
    client.put_object(Bucket=BUCKET, Key="in/people.csv", Body=text.getvalue().encode())
    for stream, rule in (("papers", "drop"), ("scans", "restrict")):
        metadata = {"author": identity(rule, stream, 1)}
        content = identity("content", stream, 1).encode()
        client.put_object(Bucket=BUCKET, Key=f"in/{stream}/1.txt", Body=content, Metadata=metadata)


@contextmanager
def declared(stack: Stack, folder: Path, api: str, **changes: Any) -> Iterator[None]:
    """Declare the three sources in an empty folder.

    :param api: address of the API.
    :param changes: of the table's stream.
    """
    (folder / "sql").symlink_to(ROOT / "include" / "sql")
    (folder / "sources").mkdir()
    with stack.warehouse.connect("warehouse") as db:
        for source, declaration in _sources(changes).items():
            db.execute(f"create schema if not exists raw_{source} authorization loader")
            (folder / "sources" / f"{source}.yml").write_text(yaml.safe_dump(declaration))
            write_contracts(folder, source, TOLERANT)
    admin, endpoint = stack.lake.admin, {"endpoint_url": stack.lake.endpoint, "region_name": "us-east-1"}
    bucket = {"conn_type": "aws", "login": admin.access_key, "password": admin.secret_key, "extra": endpoint}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATASTACK_INCLUDE", str(folder))
        patch.setenv("AIRFLOW_CONN_PEOPLE_API", json.dumps({"conn_type": "http", "host": api}))
        patch.setenv("AIRFLOW_CONN_PEOPLE_FILES", json.dumps(bucket))
        load_source.cache_clear()
        try:
            yield
        finally:
            load_source.cache_clear()


def write_contracts(folder: Path, source: str, tolerance: dict[str, Any], key: str | None = None) -> None:
    """Write the contracts of a source's streams; their key is the first column, unless it is given."""
    place = folder / "contracts" / source
    place.mkdir(parents=True, exist_ok=True)
    for stream in STREAMS[source]:
        (place / f"{stream}.odcs.yaml").write_text(yaml.safe_dump(_contract(stream, _columns(stream), tolerance, key)))
    load_source.cache_clear()


def _sources(changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    fixed = {
        "description": "d", "owner": "o", "domain": "retail", "tier": 3, "schedule": "0 0 * * *",
        "start_date": "2016-01-01",
    }  # fmt: skip
    whole = {"write": "replace"}
    page = {"path": "/people", "records": "data", "pagination": {"kind": "cursor"}}
    document = {"format": "document", "write": "merge", "cursor": "modified_at", "deletes": {"by": "key"}}
    return {
        "people_db": fixed | {
            "name": "people_db", "kind": "postgres", "connection": "retail_db",
            "streams": {"people": whole | {"table": "public.people"} | changes},
        },
        "people_api": fixed | {
            "name": "people_api", "kind": "rest_api", "connection": "people_api", "auth": {"kind": "none"},
            "streams": {"people": whole | page, "contacts": whole | {"of": "people", "records": "contacts"}},
        },
        "people_files": fixed | {
            "name": "people_files", "kind": "files", "store": "s3", "connection": "people_files",
            "folder": f"{BUCKET}/in",
            "streams": {
                "people": {"files": "*.csv", "format": {"kind": "csv"}, "write": "append"},
                "papers": document | {"files": "papers/*"}, "scans": document | {"files": "scans/*"},
            },
        },
    }  # fmt: skip


def _columns(stream: str) -> dict[str, tuple[str, str | None, str]]:
    """Type, privacy rule and path of each column."""
    if stream == "contacts":
        return {"of": ("text", "hash", "^.email"), "email": ("text", "hash", "email")}
    if stream in ("papers", "scans"):
        rule = "drop" if stream == "papers" else "restrict"
        documents = {name: (kind, None, name) for name, kind in _DOCUMENT.items()}
        return documents | {"metadata": ("jsonb", rule, "metadata")}
    return {name: (kind, RULES.get(name), name) for name, kind in _TYPES.items()}


def _contract(
    stream: str, columns: dict[str, tuple[str, str | None, str]], tolerance: dict[str, Any], key: str | None
) -> Any:
    key = key or next(iter(columns))
    properties = []
    for name, (kind, rule, path) in columns.items():
        custom = {"path": path} | ({"privacy": rule} if rule else {})
        properties.append({
            "name": name, "physicalType": kind, "logicalType": "string", "description": name,
            "required": name in (key, "email", "etag", "modified_at"), "primaryKey": name == key,
            "primaryKeyPosition": 1 if name == key else -1,
            "customProperties": [{"property": each, "value": value} for each, value in custom.items()],
        } | ({"classification": "personal"} if rule else {}))  # fmt: skip
    return {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": stream, "name": stream, "version": "1.0.0",
        "status": "active", "description": {"purpose": "p"}, "team": {"name": "t"},
        "customProperties": [
            {"property": "drift", "value": "discard"}, {"property": "quarantine", "value": tolerance},
        ],
        "schema": [{
            "name": stream, "logicalType": "object", "dataGranularityDescription": "g", "properties": properties,
            "quality": [{"metric": "rowCount", "mustBeGreaterOrEqualTo": 1}],
        }],
    }  # fmt: skip
