"""What is loaded, in which order, while the source changes: one lane a stream, of every kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.steps import Window
from tests.integration.harness import days

SHOP = (Path(__file__).parent / "shop.sql").read_text()


@dataclass(frozen=True)
class Item:
    """A slice to load, and what changes at the source just before: by SQL, or by files (None: one that is deleted)."""

    number: int
    window: Window
    change: str = ""
    files: Mapping[str, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Lane:
    """A stream and its items, one after the other. ``varies`` names columns that differ from run to run."""

    source: str
    stream: str
    items: tuple[Item, ...]
    varies: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """Its raw table."""
        return f"raw_{self.source}.{self.stream}"


def lanes(count: int) -> list[Lane]:
    """Return lanes of slices: in order, again, wider, narrower, overlapping.

    :param count: items of a table; an API's stream has a third of them, as it takes three steps to load.
    """
    tables, pages = range(count), range(count // 3 + 1)
    return [
        Lane("retail_db", "transactions", tuple(Item(n, _window(n), _purchases(n)) for n in tables)),
        Lane("retail_db", "households", tuple(Item(n, days(n % 28 + 1), _household(n)) for n in tables)),
        Lane("retail_db", "products", tuple(Item(n, days(n % 28 + 1), _product(n)) for n in tables)),
        Lane("marketing_api", "campaigns", tuple(Item(n, days(n % 28 + 1)) for n in pages)),
        Lane("marketing_api", "redemptions", tuple(Item(n, _month(n)) for n in pages)),
    ]


def whole_lists(count: int) -> list[Lane]:
    """Return lanes of lists that an API gives whole: by offset, and the list within another one's records."""
    items = tuple(Item(n, days(n % 28 + 1)) for n in range(count))
    return [Lane("marketing_api", stream, items) for stream in ("coupons", "campaign_households")]


def _window(n: int) -> Window:
    """Two days, the second of which the next one has too; every fourth goes back to reload a part."""
    return days(max(n - 3, 1), n) if n % 4 == 3 else days(n % 28 + 1, n % 28 + 2)


def _month(n: int) -> Window:
    """Months backwards: each brings rows that are there, and some that are not."""
    return f"2019-{12 - n % 10:02d}-01T00:00:00Z", "2020-01-01T00:00:00Z"


def _purchases(n: int) -> str:
    return (
        "update transactions set quantity = quantity % 5 + 1, sales_value = sales_value + 1 "
        f"where basket_id % 5 = {n % 5};"
        f"delete from transactions where basket_id % 97 = {n}"
    )


def _household(n: int) -> str:
    changed = f"home_ownership = 'Home {n}', updated_at = timestamptz '2019-11-01 12:00Z' + {n} * interval '1 day'"
    return f"update households set {changed} where household_id % 6 = {n % 6}"


def _product(n: int) -> str:
    return (
        f"delete from products where product_id % 61 = {n};"
        f"update products set package_size = '{n} OZ' where product_id % 5 = {n % 5}"
    )
