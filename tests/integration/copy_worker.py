"""A worker process that copies one slice: `python -m tests.integration.copy_worker source stream manifest-key`."""

import sys
from types import SimpleNamespace

from datastack.operators.copy import CopyOperator

if __name__ == "__main__":
    source, stream, key = sys.argv[1:]
    task = SimpleNamespace(dag_id="ingest_test", run_id="killed", try_number=1)
    CopyOperator(task_id=f"{stream}.copy", source=source, stream=stream, manifest_key=key).execute({"ti": task})
