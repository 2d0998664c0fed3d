"""One copy task loads several manifests, each in a transaction of its own; a retry goes on with what is missing."""

import pytest

from datastack.lake.manifest import ManifestError
from datastack.operators.copy import CopyOperator
from tests.integration.harness import TRANSACTIONS, Stack, days


def test_several_manifests_are_loaded_in_order_and_once(stack: Stack):
    keys = [stack.prepare("retail_db", "transactions", days(day)) for day in (1, 2, 3)]
    task = CopyOperator(task_id="copy", source="retail_db", stream="transactions", manifest_key=keys)
    loaded = stack.run(task)
    assert [each["status"] for each in loaded] == ["loaded"] * 3
    assert [each["load_id"] for each in loaded] == [load["load_id"] for load in stack.loads("transactions")]
    assert stack.table(TRANSACTIONS) == stack.bought(days(1, 3))
    assert task.moved[0] == 60
    [datasets] = [task.lineage()[1]]
    assert datasets[0].outputFacets["outputStatistics"].rowCount == 60


def test_a_retry_goes_on_behind_what_is_loaded(stack: Stack):
    keys = [stack.prepare("retail_db", "transactions", days(day)) for day in (1, 2)]
    with pytest.raises(ManifestError, match="nowhere"):
        stack.copy("retail_db", "transactions", [keys[0], "conformed/nowhere", keys[1]])
    assert stack.table(TRANSACTIONS) == stack.bought(days(1))
    retried = stack.copy("retail_db", "transactions", keys)
    assert [each["status"] for each in retried] == ["already loaded", "loaded"]
    assert stack.copy("retail_db", "transactions", []) == []
    assert stack.table(TRANSACTIONS) == stack.bought(days(1, 2))
