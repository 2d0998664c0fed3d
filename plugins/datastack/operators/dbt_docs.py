"""Brings the documentation of a dbt project to where the Airflow UI serves it from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cosmos.operators.local import DbtDocsLocalOperator

from datastack.lake.layout import docs_key
from datastack.operators import connections


class DbtDocsOperator(DbtDocsLocalOperator):
    """Writes a dbt project's documentation as one HTML file, and stores it in the lake. Returns its address.

    It holds what dbt knows: names, types, descriptions, lineage, compiled SQL, sizes of tables; no row.

    :param domain: whose documentation it is.
    """

    template_fields: Sequence[str] = (*DbtDocsLocalOperator.template_fields, "domain")

    def __init__(self, *, domain: str, **kwargs: Any) -> None:
        super().__init__(dbt_cmd_flags=["--static"], callback=self._store, emit_datasets=False, **kwargs)
        self.domain = domain

    def execute(self, context: Any, **kwargs: Any) -> str:
        """Let dbt write the documentation, and store it."""
        super().execute(context, **kwargs)
        return connections.lake_store().uri(docs_key(self.domain))

    def _store(self, project_dir: str, **_: Any) -> None:
        [name] = self.required_files
        page = Path(project_dir, "target", name).read_bytes()
        connections.lake_store().write(docs_key(self.domain), page)
        self.log.info("stored %d bytes as %s", len(page), docs_key(self.domain))
