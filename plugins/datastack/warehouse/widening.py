"""Which column types hold every value of another: what a table may be altered to when its contract changes."""

import re

_WIDER: dict[str, tuple[str, ...]] = {
    "smallint": ("integer", "bigint", "text"),
    "integer": ("bigint", "text"),
    "bigint": ("text",),
    "real": ("double precision",),
    "boolean": ("text", "jsonb"),
    "date": ("text",),
    "uuid": ("text",),
    "numeric": ("jsonb",),
    "text": ("jsonb",),
}
_OF_JSON = {"text", "numeric", "boolean", "jsonb"}
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")


def widens(old: str, new: str) -> bool:
    """Whether every value of type ``old`` is exact in ``new``, and its form there does not depend on the way to it.

    Whole numbers and floats become larger ones, ``numeric(p,s)`` may gain digits on either side of the point, and
    what has one text form only becomes text: no floats, no moments, no ``numeric`` that adds zeros to its scale.
    """
    return new in _WIDER.get(old, ()) or _gains_digits(old, new)


def _gains_digits(old: str, new: str) -> bool:
    before, after = _NUMERIC.fullmatch(old), _NUMERIC.fullmatch(new)
    if not before or not after or old == new:
        return False
    (precision, scale), (wider, finer) = ([int(part) for part in match.groups()] for match in (before, after))
    return finer >= scale and wider - finer >= precision - scale


def common_type(one: str, other: str) -> str | None:
    """Type that holds the values of both of a column that no contract knows, or None.

    Kinds of JSON have no other than jsonb in common: that a number once was text would depend on the loads' order.
    """
    if one == other:
        return one
    if {one, other} <= _OF_JSON:
        return "jsonb"
    if widens(one, other):
        return other
    if widens(other, one):
        return one
    return "text" if widens(one, "text") and widens(other, "text") else None


def settles(old: str, new: str) -> bool:
    """Whether ``new`` gives numbers of any scale a fixed one: exact for some values only, hence to be tried."""
    return old == "numeric" and (new in ("smallint", "integer", "bigint") or _NUMERIC.fullmatch(new) is not None)


def is_cast_on_the_way(old: str, new: str) -> bool:
    """Whether COPY may write values of type ``old`` into a column of ``new``: the same values, in more bits."""
    return old == new or (widens(old, new) and new not in ("text", "jsonb"))


def converted(expression: str, old: str, new: str) -> str:
    """SQL that makes a value of ``new`` from one of ``old``."""
    if old == new:
        return expression
    return f"to_jsonb({expression})" if new == "jsonb" else f"({expression})::{new}"
