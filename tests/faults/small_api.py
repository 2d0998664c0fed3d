"""The marketing API with fewer coupons: a list that is read hundreds of times may be short.

python -m tests.faults.small_api      as local.demo.marketing_api
"""

from typing import Any

from local.demo import dataset, marketing_api

COUPONS = 12_000  # three pages

_every_coupon = dataset.coupons


def coupons() -> Any:
    """Return the first of the coupons."""
    return _every_coupon().slice(0, COUPONS)


if __name__ == "__main__":
    setattr(dataset, "coupons", coupons)  # noqa: B010 a function is not assigned otherwise
    marketing_api.main()
