"""Parses the transform's DAG file as a fresh process does; prints the seconds for libraries and for the file itself.

Run as ``python -m bench.transform_parse``.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
os.environ |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__CORE__DAG_DISCOVERY_SAFE_MODE": "False"}
os.environ |= {"AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False"}
sys.path.insert(0, str(ROOT / "plugins"))


def main() -> None:
    """Import what every DAG file with dbt imports, then parse the one."""
    begin = time.perf_counter()
    from airflow.dag_processing.dagbag import DagBag

    import datastack.pipelines.transform  # noqa: F401 - to be timed apart

    imported = time.perf_counter()
    reads: list[object] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith("target/manifest.json"):
            reads.append(arguments[0])

    sys.addaudithook(watch)
    bag = DagBag(str(ROOT / "dags" / "transform"))
    parsed = time.perf_counter()
    if bag.import_errors:
        raise RuntimeError(str(bag.import_errors))
    found = {"libraries": round(imported - begin, 3), "file": round(parsed - imported, 3)}
    # It is opened twice: for its head, which says of which files it was made, and to be read.
    print(json.dumps(found | {"manifest_reads": len(reads) - 1}))


if __name__ == "__main__":
    main()
