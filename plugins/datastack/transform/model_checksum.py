"""Checksums of models that change with all that decides their rows, and with nothing else."""

import hashlib
import json
from functools import cache
from typing import Any


class Checksums:
    """Checksums of the models of one manifest.

    What counts: code, materialisation and contract of a model; the project's macros that it calls, and the ones those
    call; the same of every model that it reads; the project's variables. Descriptions, tags and tests do not.
    """

    def __init__(self, manifest: dict[str, Any], variables: dict[str, Any]) -> None:
        self._nodes, self._macros = manifest["nodes"], manifest["macros"]
        self._package = f"macro.{manifest['metadata']['project_name']}."
        self._variables = variables
        self.of = cache(self._of)

    def _of(self, unique_id: str) -> str:
        node = self._nodes[unique_id]
        config = node["config"]
        counted = {
            "code": node["checksum"]["checksum"],
            "macros": {name: self._macros[name]["macro_sql"] for name in sorted(self._called(node))},
            "columns": [[column["name"], column["data_type"]] for column in node["columns"].values()],
            "config": [config["materialized"], config.get("incremental_strategy"), config["meta"].get("slices")],
            "reads": {name: self.of(name) for name in sorted(node["depends_on"]["nodes"]) if name in self._nodes},
            "variables": self._variables,
        }
        return hashlib.sha256(json.dumps(counted, sort_keys=True, default=str).encode()).hexdigest()

    def _called(self, node: dict[str, Any]) -> set[str]:
        found: set[str] = set()
        waiting = list(node["depends_on"]["macros"])
        while waiting:
            name = waiting.pop()
            if name.startswith(self._package) and name not in found:
                found.add(name)
                waiting += self._macros[name]["depends_on"]["macros"]
        return found
