"""Objects of the lake that are lost or cut short: the step that needs them says so; a new extract heals it."""

import random
from collections.abc import Callable

import pytest

from datastack.lake.manifest import ManifestError
from tests.faults.lanes import Lane, lanes
from tests.faults.test_faults import SEED
from tests.integration.harness import Stack, days

LANES = {lane.stream: lane for lane in lanes(0)}
EACH = [(stream, "conformed") for stream in LANES] + [
    (stream, "landing") for stream, lane in LANES.items() if lane.source == "marketing_api"
]
WINDOW = days(1, 20)
Damage = Callable[[Stack, str], None]


def lose(stack: Stack, key: str) -> None:
    stack.delete(key)


def cut(stack: Stack, key: str) -> None:
    """Keep the beginning of an object, nothing of it at times."""
    content = stack.get(key)
    chance = random.Random(f"{SEED}.{key.rpartition('/')[2]}")  # noqa: S311
    stack.put(key, content[: chance.randrange(len(content))])


@pytest.mark.parametrize("damage", [lose, cut])
@pytest.mark.parametrize("is_manifest", [True, False], ids=["manifest", "part"])
@pytest.mark.parametrize(("stream", "zone"), EACH)
def test_a_damaged_object_is_named_and_a_new_extract_heals(
    stack: Stack, stream: str, zone: str, is_manifest: bool, damage: Damage
):
    lane = LANES[stream]
    stack.load(lane.source, stream, days(1, 2))
    before, there = stack.state(), set(stack.objects())
    key = (
        stack.extract(lane.source, stream, WINDOW) if zone == "landing" else stack.prepare(lane.source, stream, WINDOW)
    )
    [victim] = [
        each for each in set(stack.objects(f"{zone}/")) - there if each.endswith("_manifest.json") == is_manifest
    ]
    damage(stack, victim)
    with pytest.raises(ManifestError, match=r"(?i)clear the task that extracts it to read the slice anew") as error:
        stack.conform(stream, key) if zone == "landing" else stack.copy(lane.source, stream, key)
    assert victim in str(error.value)
    assert stack.state() == before
    assert stack.load(lane.source, stream, WINDOW)["status"] == "loaded"
    assert stack.checksum(lane.table) == loaded_in_peace(stack, lane)


def loaded_in_peace(stack: Stack, lane: Lane) -> str:
    stack.servers.clean()
    for window in (days(1, 2), WINDOW):
        stack.load(lane.source, lane.stream, window)
    return stack.checksum(lane.table)
