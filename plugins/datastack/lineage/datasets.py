"""OpenLineage names of everything that data passes through, and the facets on it.

Naming: https://openlineage.io/docs/spec/naming
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import pyarrow as pa
    from openlineage.client.event_v2 import InputDataset, OutputDataset


def postgres_name(host: str, port: int, database: str, schema: str, table: str) -> tuple[str, str]:
    """Namespace and name of a Postgres table; host and port as in the connection, letter by letter."""
    return f"postgres://{host}:{port}", f"{database}.{schema}.{table}"


_PORTS = {"postgres": 5432, "mysql": 3306, "mssql": 1433, "oracle": 1521, "trino": 8080}


def database_name(kind: str, host: str, port: int | None, database: str, table: str) -> tuple[str, str]:
    """Namespace and name of a table of any database that is read; ``table`` as in the source file."""
    name = f"{database}.{table}" if database else table
    if kind in _PORTS:
        return f"{kind}://{host}:{port or _PORTS[kind]}", name
    return kind, name


def lake_name(bucket: str, zone: str, source: str, stream: str, contract_major: int) -> tuple[str, str]:
    """Namespace and name of a stream in a zone of the lake: slices come and go, the dataset stays."""
    return f"s3://{bucket}", f"{zone}/{source}/{stream}/v{contract_major}"


def api_name(base_url: str, path: str) -> tuple[str, str]:
    """Namespace and name of a REST endpoint."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}", path


def folder_name(store: str, address: str, folder: str) -> tuple[str, str]:
    """Namespace and name of a folder of files: of a bucket, or below the address of a web or SFTP server."""
    if store == "s3":
        bucket, _, prefix = folder.strip("/").partition("/")
        return f"s3://{bucket}", prefix or "/"
    if store == "sftp":
        return f"sftp://{address}", folder
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}", f"/{'/'.join(filter(None, [parts.path.strip('/'), folder.strip('/')]))}"


def read_from(name: tuple[str, str], columns: "pa.Schema | None" = None) -> "InputDataset":
    """Describe a dataset that is read."""
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(*name, facets=_schema_facet(columns))


def written_to(
    name: tuple[str, str],
    rows: int,
    size: int | None = None,
    columns: "pa.Schema | None" = None,
    columns_from: tuple[str, str] | None = None,
    masked: Sequence[str] = (),
) -> "OutputDataset":
    """Describe a dataset that is written.

    :param columns_from: the dataset that each column comes from, by the same name.
    :param masked: columns whose values are hashed or masked on the way.
    """
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    facets = _schema_facet(columns)
    if columns is not None and columns_from is not None:
        facets["columnLineage"] = _same_columns(columns, columns_from, masked)
    measured = statistics.OutputStatisticsOutputDatasetFacet(rowCount=rows, size=size)
    return OutputDataset(*name, facets=facets, outputFacets={"outputStatistics": measured})


def checked(name: tuple[str, str], results: Iterable[Any]) -> "InputDataset":
    """Describe a dataset that a gate looked at, with an assertion a check.

    A check that warned or was waived has not succeeded: its severity says that this stops nothing.
    """
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    assertions = [
        quality.Assertion(
            assertion=result.type,
            success=result.outcome == "PASSED",
            column=result.column,
            severity="warn" if result.outcome == "WAIVED" or result.level == "warn" else "error",
            name=result.name,
            description=result.detail,
            expected=result.threshold,
            actual=str(result.measured if result.value is None else result.value),
            content=result.failing,
            contentType="sql" if result.failing else None,
            params={"outcome": result.outcome},
        )
        for result in results
    ]
    facet = quality.DataQualityAssertionsDatasetFacet(assertions=assertions)
    return InputDataset(*name, inputFacets={"dataQualityAssertions": facet})


def _schema_facet(columns: "pa.Schema | None") -> dict[str, Any]:
    from openlineage.client.facet_v2 import schema_dataset

    if columns is None:
        return {}
    fields = [schema_dataset.SchemaDatasetFacetFields(name=field.name, type=str(field.type)) for field in columns]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}


def _same_columns(columns: "pa.Schema", source: tuple[str, str], masked: Sequence[str]) -> Any:
    from openlineage.client.facet_v2 import column_lineage_dataset as lineage

    def field(name: str) -> Any:
        subtype = "TRANSFORMATION" if name in masked else "IDENTITY"
        how = lineage.Transformation(type="DIRECT", subtype=subtype, masking=name in masked)
        return lineage.Fields(inputFields=[lineage.InputField(*source, field=name, transformations=[how])])

    return lineage.ColumnLineageDatasetFacet(fields={name: field(name) for name in _names(columns)})


def _names(columns: "pa.Schema") -> Sequence[str]:
    names: Sequence[str] = columns.names
    return names
