"""The steps by which a slice moves, as tasks run them: the only place here that knows the operators."""

from types import SimpleNamespace
from typing import Any

Window = tuple[str, str]

# Steps of a slice, by source; each gets what the one before it returned. The last one loads.
ROUTES = {
    "retail_db": ("move",),
    "marketing_api": ("extract", "conform", "copy"),
    "promotions": ("extract", "conform", "copy"),
    "leaflets": ("extract", "copy"),
}

# What is landed of a stream that is a part of another one.
LANDED = {"campaign_households": "campaigns"}

# The same with nothing loaded before the last step, where loading can wait.
ROUTES_APART = ROUTES | {"retail_db": ("extract", "copy")}

# What a worker has imported before it is forked off, so that a try takes no time for it.
PRELOAD = (
    "airflow.providers.amazon.aws.hooks.base_aws",
    "airflow.providers.postgres.hooks.postgres",
    "asyncpg",
    "datastack.codec.decode",
    "datastack.codec.encode",
    "datastack.lake.parts",
    "datastack.operators.conform",
    "datastack.operators.copy",
    "datastack.operators.document_rows",
    "datastack.operators.extract_api",
    "datastack.operators.extract_documents",
    "datastack.operators.extract_files",
    "datastack.operators.extraction",
    "datastack.operators.landing",
    "datastack.operators.loading",
    "datastack.operators.move",
    "datastack.source.files.http",
    "datastack.source.files.s3",
    "datastack.source.files.sftp",
    "datastack.source.formats.reader",
    "datastack.source.postgres",
    "datastack.source.rest.api",
    "datastack.warehouse.postgres",
    "psycopg",
    "uvloop",
)


def operator(source: str, stream: str, step: str, before: Any) -> Any:
    """Build the operator of a step.

    :param before: what the step before it returned.
    """
    from datastack.operators.conform import ConformOperator
    from datastack.operators.copy import CopyOperator
    from datastack.operators.extract_api import ExtractApiOperator
    from datastack.operators.extract_database import ExtractDatabaseOperator
    from datastack.operators.extract_documents import ExtractDocumentsOperator
    from datastack.operators.extract_files import ExtractFilesOperator
    from datastack.operators.move import MoveDatabaseOperator

    extract = {
        "retail_db": ExtractDatabaseOperator,
        "marketing_api": ExtractApiOperator,
        "leaflets": ExtractDocumentsOperator,
    }
    names = {"task_id": f"{stream}.{step}", "source": source, "stream": stream}
    match step:
        case "move":
            return MoveDatabaseOperator(**names)
        case "extract":
            return extract.get(source, ExtractFilesOperator)(**names | {"stream": LANDED.get(stream, stream)})
        case "conform":
            return ConformOperator(manifest_key=before, **names)
        case "copy":
            return CopyOperator(manifest_key=before, **names)
    raise ValueError(f"no step {step!r}")


def context(window: Window, run_id: str, try_number: int) -> dict[str, Any]:
    """Return what Airflow hands to a task."""
    return {
        "params": {"window_start": window[0], "window_end": window[1]},
        "dag_run": SimpleNamespace(data_interval_start=None, data_interval_end=None, run_after=None),
        "ti": SimpleNamespace(dag_id="ingest_faults", run_id=run_id, try_number=try_number),
    }
