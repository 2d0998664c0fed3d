"""Puts conformed rows into the lake: those that fit into one zone, the others into another."""

from collections import Counter
from collections.abc import Callable, Iterable

from datastack.codec.checksum import MODULUS, checksum
from datastack.contract.conform import Conformed, Conformer
from datastack.lake.layout import PART, Place, Zone
from datastack.lake.manifest import Part, Written
from datastack.lake.parts import ParquetParts
from datastack.lake.store import LakeStore


def store_conformed(
    lake: LakeStore,
    place: Place,
    conformer: Conformer,
    received: Iterable[Conformed],
    stem: str = PART,
    landed: Callable[[Part, dict[str, str]], None] = lambda part, columns: None,
) -> Written:
    """Write accepted and rejected rows; return what was written, the source's count left to the caller.

    :param stem: what the parts' names begin with.
    :param landed: is told each part of accepted rows as soon as it is there, and the contract types of its columns.
    """
    total = 0
    reasons: Counter[str] = Counter()
    columns: dict[str, str] = {}
    known = {column.name: column.type for column in conformer.contract.stored}
    with (
        ParquetParts(lake, place, Zone.CONFORMED, stem, landed=lambda part: landed(part, columns)) as good,
        ParquetParts(lake, place, Zone.QUARANTINE, stem) as bad,
    ):
        for each in received:
            columns = {name: (known | conformer.evolved).get(name, "jsonb") for name in each.accepted.schema.names}
            total += checksum(each.accepted, list(columns.values()))
            good.write(each.accepted)
            bad.write(each.rejected)
            reasons.update(each.rejected.column("reason").to_pylist())
    return Written(
        parts=tuple(good.parts),
        quarantine=tuple(bad.parts),
        checksum=total % MODULUS,
        columns=columns,
        evolved=conformer.evolved,
        discarded=conformer.discarded,
        reasons=dict(reasons),
    )
