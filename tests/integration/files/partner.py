"""A partner who delivers files of sales, and documents, into a bucket; the streams are declared by each test."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException

from datastack.contract.documents import DOCUMENT_COLUMNS
from datastack.contract.registry import load_source
from datastack.contract.slice import Slice
from tests.integration.harness import ROOT, Stack, Window

BUCKET, FOLDER = "partner", "partner/in"
SALES = "raw_partner.sales"
PAPERS = "raw_partner.papers"
COLUMNS = {"id": "bigint", "name": "text", "price": "numeric(10,2)"}
HEADER = "id,name,price\n"


def week(number: int) -> Window:
    """Window of some week of November 2019: Mondays are the 4th, 11th, 18th, 25th."""
    start = 4 + 7 * (number - 1)
    end = "2019-12-02" if number == 4 else f"2019-11-{start + 7:02d}"
    return f"2019-11-{start:02d}T00:00:00Z", f"{end}T00:00:00Z"


def name_of(number: int) -> str:
    """File of a week."""
    return f"sales_{week(number)[0][:10]}.csv"


def csv_of(*ids: int) -> bytes:
    """Some sales."""
    return (HEADER + "".join(f"{number},n{number},1.50\n" for number in ids)).encode()


class Partner:
    """The bucket, and the source file that says how it is read.

    :param folder: an empty one, for declarations.
    :param patch: undoes the test's changes to the connection.
    """

    def __init__(self, stack: Stack, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.stack, self._folder, self._patch = stack, folder, patch
        self.s3 = stack.lake.client()
        for kind in ("sources", "contracts/partner"):
            (folder / kind).mkdir(parents=True)
        (folder / "sql").symlink_to(ROOT / "include" / "sql")
        self._store: dict[str, str] = {"store": "s3", "folder": FOLDER}
        self.declare()

    def at(self, store: str, folder: str, **connection: Any) -> None:
        """Use another store; call ``declare`` after it."""
        self._store = {"store": store, "folder": folder}
        self._patch.setenv("AIRFLOW_CONN_PARTNER", json.dumps(connection))

    def declare(self, sales: dict[str, Any] | None = None, papers: dict[str, Any] | None = None) -> None:
        """Declare the streams, with changes."""
        period = {"pattern": r"_(\d{4}-\d{2}-\d{2})\.", "length": "P7D"}
        files = {"files": "sales_*", "format": {"kind": "csv"}, "period": period, "write": "append"}
        documents = {"files": "papers/**", "format": "document", "write": "merge", "cursor": "modified_at"}
        streams = {"sales": files | (sales or {})}
        if self._store["store"] != "http":
            streams["papers"] = documents | {"deletes": {"by": "key"}} | (papers or {})
        source = {
            "name": "partner", "description": "d", "kind": "files", "connection": "partner", "owner": "o",
            "domain": "retail", "tier": 3, "schedule": "0 0 * * 1", "start_date": "2019-11-04", "streams": streams,
        }  # fmt: skip
        (self._folder / "sources" / "partner.yml").write_text(yaml.safe_dump(source | self._store))
        for stream in ("sales", "papers"):
            file = self._folder / "contracts" / "partner" / f"{stream}.odcs.yaml"
            file.unlink(missing_ok=True)
            if stream in streams:
                types = COLUMNS if stream == "sales" else DOCUMENT_COLUMNS
                file.write_text(yaml.safe_dump(contract(stream, types)))
        load_source.cache_clear()

    # What the partner does

    def put(self, key: str, content: bytes, **more: Any) -> None:
        """Deliver a file."""
        self.s3.put_object(Bucket=BUCKET, Key=f"in/{key}", Body=content, **more)

    def take_back(self, key: str) -> None:
        """Delete a file."""
        self.s3.delete_object(Bucket=BUCKET, Key=f"in/{key}")

    # What we do

    def extract(self, window: Window | None = None, scheduled: Window | None = None, **params: Any) -> list[str]:
        """Land new files; return keys of manifests, none if the task was skipped."""
        from datastack.operators.extract_files import ExtractFilesOperator

        operator = ExtractFilesOperator(task_id="sales.extract", source="partner", stream="sales")
        try:
            return operator.execute(context(window, scheduled, **params))
        except AirflowSkipException:
            return []

    def load(self, window: Window | None = None, scheduled: Window | None = None, **params: Any) -> list[Any]:
        """Run the stream's tasks; return what copy returned for each file."""
        return self.go_on(self.extract(window, scheduled, **params))

    def go_on(self, landed: list[str]) -> list[Any]:
        """Run what follows on extract."""
        from datastack.operators.conform import ConformOperator
        from datastack.operators.copy import CopyOperator

        names = {"source": "partner", "stream": "sales"}
        conformed = self.stack.run(ConformOperator(task_id="sales.conform", manifest_key=landed, **names))
        return self.stack.run(CopyOperator(task_id="sales.copy", manifest_key=conformed, **names))

    def load_papers(self, window: Window = ("2019-11-04T00:00:00Z", "2019-11-11T00:00:00Z"), **params: Any) -> Any:
        """Run the tasks on documents; return what copy returned, or None if there was nothing new."""
        from datastack.operators.extract_documents import ExtractDocumentsOperator

        operator = ExtractDocumentsOperator(task_id="papers.extract", source="partner", stream="papers")
        try:
            key = operator.execute(context(window, None, **params))
        except AirflowSkipException:
            return None
        return self.stack.copy("partner", "papers", key)

    def ids(self) -> list[int]:
        """Ids in the raw table, in order."""
        return [row[0] for row in self.stack.rows(f"select id from {SALES} order by id")]

    def landed(self, stream: str = "sales") -> list[str]:
        """Keys of the files that were landed, without manifests."""
        return [key for key in self.stack.objects(f"landing/partner/{stream}/") if not key.endswith("_manifest.json")]


def context(window: Window | None, scheduled: Window | None, run: str = "test", **params: Any) -> dict[str, Any]:
    """Context of a task: with a window that was given, or with one of the schedule."""
    interval = Slice.parse(*(scheduled or week(4)))
    start, end = window or (None, None)
    return {
        "params": {"window_start": start, "window_end": end} | params,
        "dag_run": SimpleNamespace(data_interval_start=interval.start, data_interval_end=interval.end),
        "ti": SimpleNamespace(dag_id="ingest_partner", run_id=run, try_number=1),
    }


def contract(stream: str, types: dict[str, str]) -> dict[str, Any]:
    """Contract of a stream."""
    key = "key" if "key" in types else None
    properties = [
        {
            "name": name, "physicalType": kind, "logicalType": "string", "description": name,
            "required": name in ("id", "key", "modified_at"),
        } | ({"primaryKey": True, "primaryKeyPosition": 1} if name == key else {})
        for name, kind in types.items()
    ]  # fmt: skip
    rows = {"metric": "rowCount", "mustBeGreaterOrEqualTo": 1}
    schema = {"name": stream, "logicalType": "object", "dataGranularityDescription": "g", "quality": [rows]}
    tolerance = {"rows": 10, "share": 1.0}
    return {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": stream, "name": stream, "version": "1.0.0",
        "status": "active", "description": {"purpose": "p"}, "team": {"name": "t"},
        "customProperties": [{"property": "drift", "value": "discard"}, {"property": "quarantine", "value": tolerance}],
        "schema": [schema | {"properties": properties}],
    }  # fmt: skip


@contextmanager
def partner_of(stack: Stack, folder: Path) -> Iterator[Partner]:
    """Give the partner, with an empty bucket."""
    with stack.warehouse.connect("warehouse") as db:
        db.execute("create schema if not exists raw_partner authorization loader")
    stack.lake.create_buckets([BUCKET])
    client = stack.lake.client()
    for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=found["Key"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATASTACK_INCLUDE", str(folder))
        admin, endpoint = stack.lake.admin, {"endpoint_url": stack.lake.endpoint, "region_name": "us-east-1"}
        fields = {"conn_type": "aws", "login": admin.access_key, "password": admin.secret_key, "extra": endpoint}
        patch.setenv("AIRFLOW_CONN_PARTNER", json.dumps(fields))
        try:
            yield Partner(stack, folder, patch)
        finally:
            load_source.cache_clear()
