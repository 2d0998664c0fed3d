"""Which names a glob matches, and which are left alone whatever it matches."""

import re
from collections.abc import Sequence
from functools import cache

_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", "~")


def matches(key: str, pattern: str, exclude: Sequence[str] = ()) -> bool:
    """Whether a glob matches a key, and none that excludes does; hidden and unfinished files are never matched."""
    if is_left_alone(key) or not _expression(pattern).fullmatch(key):
        return False
    return not any(_expression(each).fullmatch(key) for each in exclude)


def may_hold(folder: str, pattern: str) -> bool:
    """Whether a folder may have a file below it that the glob matches."""
    if folder.rpartition("/")[2].startswith("."):
        return False
    steps, names = pattern.split("/")[:-1], folder.split("/")
    for step, name in zip(steps, names, strict=False):
        if "**" in step:
            return True
        if not _expression(step).fullmatch(name):
            return False
    return len(names) <= len(steps) or "**" in pattern.rpartition("/")[2]


def fixed_prefix(pattern: str) -> str:
    """Part of a glob before its first wildcard: what every match begins with."""
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


def is_left_alone(key: str) -> bool:
    """Whether a file is hidden, or still being written by the custom of its name."""
    return any(step.startswith(".") for step in key.split("/")) or key.lower().endswith(_UNFINISHED)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """``**/`` also stands for no folder at all."""
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(token) or re.escape(token) for token in tokens), re.DOTALL)
