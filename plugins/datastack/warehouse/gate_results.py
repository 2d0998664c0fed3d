"""Keeps what gates measured."""

import json
from collections.abc import Sequence
from typing import Any

from datastack.contract.sql import sql
from datastack.warehouse.load import RunRef
from datastack.warehouse.transaction import transaction


def record_gate(uri: str, gate: str, dataset: str, results: Sequence[dict[str, Any]], run: RunRef) -> None:
    """Store one gate's results.

    :param results: mappings with name, type, column, outcome, measured and threshold.
    :raises WarehouseError: if they can't be stored.
    """
    content = json.dumps(list(results), default=str)
    with transaction(uri, f"storing the results of gate {gate}") as db:
        db.execute(sql("ops/insert_gate_results"), (gate, dataset, run.dag_id, run.run_id, run.try_number, content))
