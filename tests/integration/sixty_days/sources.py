"""The domain's sources during sixty days: a shop, a marketing team and a partner, as they are at the end of a day."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from local.demo.partner import BUCKET
from tests.integration.harness import Stack, Window
from tests.integration.stub_api import StubApi, stub

DAYS = 60
TILL_FROM = 41  # from this day on the tills number themselves
_BEFORE = date(2026, 3, 1)
_HISTORY = (Path(__file__).parent / "history.sql").read_text()
_SALE = (
    "household_id, store_id, basket_id, product_id, quantity, sales_value, retail_disc, coupon_disc, "
    "coupon_match_disc, week, transaction_at"
)
_HOUSEHOLD = (
    "household_id, age, income, home_ownership, marital_status, household_size, household_comp, kids_count, "
    "timestamptz '2026-03-01 09:00Z' + since * interval '1 day'"
)
_PRODUCT = (
    "product_id, manufacturer_id, department, brand, product_category, product_type, package_size, "
    "timestamptz '2026-03-01Z' + since * interval '1 day'"
)
_CHANGED = """
    select
        (transaction_at at time zone 'UTC')::date - date '2026-03-01',
        max(case when until <= %(now)s then until when since <= %(now)s then since end)
    from history.transactions where since <= %(now)s group by 1"""
_FILES = {  # days on which files come, by week; a second one corrects the first
    1: [8], 2: [15], 3: [22, 31], 4: [29], 5: [40], 6: [43], 7: [50], 8: [57],
}  # fmt: skip


def day_of(number: int) -> date:
    """Return a day by its number."""
    return _BEFORE + timedelta(days=number)


def window(first: int, last: int) -> Window:
    """Window of some days, the last one included."""
    return f"{day_of(first)}T00:00:00Z", f"{day_of(last + 1)}T00:00:00Z"


class Marketing(StubApi):
    """The marketing API: three campaigns, each with coupons that households redeem."""

    now = 0

    def found(self, path: str, query: str) -> list[Any]:
        """Return what is known by now; of redemptions, those that have changed since a moment."""
        numbers = [number for number in (1, 2, 3) if self._starts(number) - 4 <= self.now]
        if path == "/campaigns":
            return [self._campaign(number) for number in numbers]
        if path == "/coupons":
            coupons = [self._coupon(number, place) for number in numbers for place in range(4)]
            return [*coupons, coupons[0]]  # lists repeat some
        since = datetime.fromisoformat(parse_qs(query)["updated_since"][0])
        redeemed = [self._redemption(number, place) for number in numbers for place in range(12)]
        return [each for each in redeemed if each and datetime.fromisoformat(each["updated_at"]) >= since]

    @staticmethod
    def _starts(number: int) -> int:
        return 16 * number - 8

    def _campaign(self, number: int) -> dict[str, Any]:
        starts = self._starts(number)
        last = 12 * number + 12 + (5 if number == 2 and self.now >= 26 else 0)
        return {
            "campaign_id": number,
            "campaign_type": f"Type {'ABC'[number - 1]}",
            "period": {"start_date": str(day_of(starts)), "end_date": str(day_of(starts + 9))},
            "households": [{"household_id": each} for each in range(12 * number - 11, last)],
        }

    @staticmethod
    def _coupon(number: int, place: int) -> dict[str, Any]:
        return {"coupon_upc": 10 * number + place, "product_id": 7 * number + 5 * place, "campaign_id": number}

    def _redemption(self, number: int, place: int) -> dict[str, Any] | None:
        day = self._starts(number) + place % 8
        corrected = day + 6 if place % 5 == 0 and day + 6 <= self.now else None
        if day > self.now:
            return None
        return {
            "redemption_id": f"{number}-{place}",
            "household_id": 12 * number - 11 + 2 * place,
            "coupon_upc": 10 * number + (3 if corrected else place % 3),
            "campaign_id": number,
            "redemption_date": str(day_of(day)),
            "updated_at": f"{day_of(corrected or day)}T12:00:00+00:00",
        }


class Sources:
    """All sources at the end of some day. Time goes on by ``advance``."""

    def __init__(self, stack: Stack, marketing: Marketing) -> None:
        self.now = 0
        self._stack, self._marketing = stack, marketing
        self._partner = stack.lake.client()
        self._empty_bucket()
        self._partner.put_object(Bucket=BUCKET, Key="leaflets/terms.txt", Body=b"while stocks last")
        stack.shop(f"alter table public.transactions drop column if exists till_id; {_HISTORY}")

    def advance(self, now: int) -> None:
        """Let days go by."""
        if self.now < TILL_FROM <= now:
            self._stack.shop("alter table public.transactions add column till_id text")
        sale = f"{_SALE}, till_id" if now >= TILL_FROM else _SALE
        for table, columns in (("transactions", sale), ("households", _HOUSEHOLD), ("products", _PRODUCT)):
            there = f"where since <= {now} and coalesce(until, {DAYS} + 1) > {now}"
            self._stack.shop(
                f"truncate public.{table}; insert into public.{table} select {columns} from history.{table} {there}"
            )
        for week, came in _FILES.items():
            for place, day in enumerate(came):
                if self.now < day <= now:
                    self._deliver(week, place)
        self.now = self._marketing.now = now

    def changed_sales(self) -> dict[int, int]:
        """For each day, the day on which its purchases last changed."""
        with self._stack.source.connect("retail_db") as db:
            return dict(db.execute(_CHANGED, {"now": self.now}).fetchall())

    def changed_weeks(self) -> dict[int, int]:
        """For each week, the day on which its file was last delivered."""
        came = {week: [day for day in days if day <= self.now] for week, days in _FILES.items()}
        return {week: days[-1] for week, days in came.items() if days}

    def close(self) -> None:
        """Leave the sources as other tests know them."""
        self._empty_bucket()
        self._stack.shop("drop schema history cascade; alter table public.transactions drop column if exists till_id")

    def _deliver(self, week: int, place: int) -> None:
        monday = day_of(7 * week - 6)
        lines = ["product_id,store_id,display_location,mailer_location,week,week_start"]
        for number in range(40 - 9 * place):
            product = (13 * week + 3 * number + place) % 149 + 1
            for store in range(300, 303):
                codes = f"{'0159'[number % 4]},{'0AH'[(number + store) % 3]}"
                if codes != "0,0":
                    lines.append(f"{product},{store},{codes},{week + 9},{monday}")
        body = gzip.compress("\n".join([*lines, ""]).encode())
        self._partner.put_object(Bucket=BUCKET, Key=f"promotions/promotions_{monday}.csv.gz", Body=body)

    def _empty_bucket(self) -> None:
        for item in self._partner.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            self._partner.delete_object(Bucket=BUCKET, Key=item["Key"])


@contextmanager
def sources(stack: Stack) -> Iterator[Sources]:
    """Give sources before their first day."""
    marketing = Marketing()
    with stub(marketing):
        stack.connect("marketing_api", host=marketing.url)
        made = Sources(stack, marketing)
        try:
            yield made
        finally:
            made.close()
