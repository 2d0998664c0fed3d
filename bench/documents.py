"""Pages of JSON records as an API answers them, what they are to become, and the lake on a local disk."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.fs as pafs

from datastack.contract.model import Column, Contract, Privacy
from datastack.contract.slice import Slice
from datastack.lake.layout import Place, Zone
from datastack.lake.manifest import Part
from datastack.lake.parts import LinesParts
from datastack.lake.store import Bucket, LakeStore

PAGE_ROWS = 1000
DIFFERENT_ROWS = 100_000  # records repeat after these
HOUSEHOLDS = 20_000
KEY = bytes(range(32))  # of the keyed hash
_NOTES = (
    "null", '"left at the door"', '"caf\\u00e9 \\"x\\"\\n"', '"please ring twice, and wait for the neighbour"',
)  # fmt: skip
_TAGS = ('"new"', '"vip"', '"late"', '"sale"')


def _column(name: str, type_: str, path: str | None = None, privacy: Privacy | None = None) -> Column:
    return Column(name=name, type=type_, description="of the bench", path=path or name, privacy=privacy)


CONTRACT = Contract(
    source="bench",
    stream="orders",
    version="1.0.0",
    description="Orders",
    grain="one row an order",
    owner="bench",
    columns=(
        Column(name="id", type="bigint", description="of the bench", path="id", required=True),
        _column("number", "text", "order.number"),
        _column("placed_at", "timestamptz", "order.placed_at"),
        _column("channel", "text", "order.channel"),
        _column("household_id", "text", privacy=Privacy.HASH),
        _column("amount", "numeric(12,2)"),
        _column("discount", "numeric(6,4)"),
        _column("quantity", "integer"),
        _column("is_gift", "boolean"),
        _column("score", "double precision"),
        _column("shipped_on", "date"),
        _column("note", "text"),
        _column("tags", "text[]"),
        _column("extra", "jsonb"),
    ),
    minimum_rows=1,
    file=Path("orders.odcs.yaml"),
)


def lake(folder: Path) -> LakeStore:
    """Return a lake in a folder."""
    bucket = Bucket(pafs.SubTreeFileSystem(str(folder), pafs.LocalFileSystem()), "lake")
    return LakeStore(lake=bucket, landing=bucket)


def place(attempt: str) -> Place:
    """Return where an attempt at the bench's only slice stands."""
    window = Slice(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    return Place("bench", "orders", 1, window, attempt)


def folders(folder: Path, attempt: str) -> Place:
    """Return where an attempt stands, with folders that a local disk needs and S3 does not."""
    where = place(attempt)
    for zone in Zone:
        (folder / "lake" / where.prefix(zone)).mkdir(parents=True, exist_ok=True)
    return where


def land(folder: Path, rows: int) -> list[Part]:
    """Write pages of so many records as they are landed; return the parts."""
    pages = [*_pages(min(rows, DIFFERENT_ROWS))]
    with LinesParts(lake(folder), folders(folder, f"rows{rows}")) as out:
        for number in range(rows // PAGE_ROWS):
            out.write(pages[number % len(pages)], PAGE_ROWS)
    return out.parts


def _pages(rows: int) -> Iterator[bytes]:
    dice = random.Random(1)  # noqa: S311
    for first in range(0, rows, PAGE_ROWS):
        records = ",".join(_record(number, dice) for number in range(first, first + PAGE_ROWS))
        yield f'{{"data":[{records}],"total":{rows}}}'.encode()


def _record(number: int, dice: random.Random) -> str:
    day = f"2026-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
    clock = (
        f"{dice.randint(0, 23):02d}:{dice.randint(0, 59):02d}:{dice.randint(0, 59):02d}.{dice.randint(0, 999999):06d}"
    )
    order = (
        f'{{"number":"O-{number:08d}","placed_at":"{day}T{clock}+02:00","channel":"{dice.choice(("web", "shop"))}"}}'
    )
    discount = dice.choice(("null", f'"0.{dice.randint(0, 9999):04d}"'))
    shipped = dice.choice(("null", f'"{day}"'))
    tags = ",".join(dice.choice(_TAGS) for _ in range(dice.randint(0, 3)))
    return (
        f'{{"id":{number},"order":{order},"household_id":{dice.randint(1, HOUSEHOLDS)},'
        f'"amount":{dice.randint(0, 9999)}.{dice.randint(0, 99):02d},"discount":{discount},'
        f'"quantity":{dice.randint(1, 9)},"is_gift":{dice.choice(("true", "false"))},"score":{dice.random() * 100!r},'
        f'"shipped_on":{shipped},"note":{dice.choice(_NOTES)},"tags":[{tags}],'
        f'"extra":{{"a":{dice.randint(0, 100)},"b":["x",null],"c":1.50}}}}'
    )
