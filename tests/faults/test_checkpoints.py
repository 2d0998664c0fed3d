"""What an interrupted move has left in the lake is damaged: a retry, or clearing the task, heals it all the same."""

import pytest

from tests.faults.crew import crew
from tests.faults.fault import Fault, Kind, Trigger
from tests.faults.lanes import SHOP, lanes
from tests.faults.test_lost_objects import Damage, cut, lose
from tests.integration.harness import TRANSACTIONS, Stack, days

LANE = lanes(0)[0]


@pytest.mark.parametrize("damage", [lose, cut])
@pytest.mark.parametrize("what", ["plan.json", "chunk-00001.json", ".parquet"])
def test_a_damaged_checkpoint_heals(stack: Stack, what: str, damage: Damage):
    stack.shop(SHOP)
    killed = Fault(Kind.KILL, "lake", Trigger("PUT conformed/_manifest.json"))
    with crew(stack, 1) as workers:
        interrupted = workers.begin(LANE, days(1, 3), killed)
        [victim] = [key for key in stack.objects() if key.endswith(what)]
        damage(stack, victim)
        workers.finish(interrupted)
    assert stack.table(TRANSACTIONS) == stack.bought(days(1, 3))
    assert len(stack.loads("transactions")) == 1
