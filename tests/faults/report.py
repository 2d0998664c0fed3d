"""The table of faults, and the errors that they caused, as text."""

import re
from collections import defaultdict
from collections.abc import Iterable

from tests.faults.story import Hit

HEAD = (
    "fault",
    "place",
    "fired",
    "task failed",
    "worker died",
    "survived",
    "loaded again",
    "rows lost",
    "rows duplicated",
)
ALL = "all"
_VARIABLE = re.compile(r"attempt=[0-9a-f]+|slice=\w+|\d{4}-\d\d-\d\dT[\d:+.]+|\d+")


def table(hits: Iterable[Hit]) -> str:
    """Count faults by kind and place."""
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * 7)
    for hit in hits:
        outcome = (True, hit.ended.error is not None, hit.ended.killed, not hit.ended.failed)
        found = (*(int(value) for value in outcome), hit.loaded_again, hit.lost, hit.duplicated)
        for key in ((hit.fault.kind.value, hit.fault.place), (ALL, "")):
            counts[key] = [old + new for old, new in zip(counts[key], found, strict=True)]
    keys = sorted(counts, key=lambda key: (key[0] == ALL, key))
    lines = [HEAD, *((*key, *map(str, counts[key])) for key in keys)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def errors(hits: Iterable[Hit]) -> str:
    """Return each error's text once, with a fault that caused it."""
    found: dict[str, str] = {}
    for hit in hits:
        if hit.ended.error:
            found.setdefault(
                _VARIABLE.sub("?", hit.ended.error),
                f"{hit.lane.table}.{hit.step} under {hit.fault}\n    {hit.ended.error}",
            )
    return "\n".join(found[key] for key in sorted(found))
