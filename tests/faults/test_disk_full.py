"""A warehouse that has no room for a load: it says so, keeps what it has, and takes the load when there is room."""

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial

import pytest

from datastack.warehouse.load import WarehouseError
from local.postgres import UNPRIVILEGED_USER
from tests.integration.harness import TRANSACTIONS, Stack, days

MEGABYTE = 1 << 20
MANY = """
    insert into transactions
    select household_id, store_id, basket_id + n * 100000, product_id, quantity, sales_value, retail_disc,
        coupon_disc, coupon_match_disc, week, transaction_at
    from transactions, generate_series(1, 249) as n
"""
SUMS = "select count(*), sum(quantity), sum(sales_value), max(transaction_at) from"


@contextmanager
def small_disk(stack: Stack) -> Iterator[Callable[[], object]]:
    """Put the loader's tables on a file system of their own, of 8 MB; the function given makes it larger."""
    folder = stack.warehouse.data_dir.with_name("small")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=8m,uid={UNPRIVILEGED_USER},mode=700", "small", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("only root may mount a file system")
    with closing(stack.warehouse.connect("warehouse")) as db:
        try:
            db.execute(f"create tablespace small owner loader location '{folder}'")
            db.execute("alter role loader set default_tablespace = small")
            yield partial(subprocess.run, ["mount", "-o", "remount,size=200m", str(folder)], check=True)
        finally:
            db.execute("alter role loader reset default_tablespace")
            stack.servers.clean()
            db.execute("drop tablespace if exists small")
            subprocess.run(["umount", str(folder)], check=True)
            folder.rmdir()


@contextmanager
def small_files(stack: Stack) -> Iterator[Callable[[], object]]:
    """Let no file of the server grow beyond 17 MB, enough for its log; the function given lifts the limit.

    The nearest to a full disk that an ordinary user can have.
    """
    none, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (17 * MEGABYTE, hard))
    try:
        stack.warehouse.restart()  # inherits the limit
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (none, hard))
    try:
        yield stack.warehouse.restart
    finally:
        stack.warehouse.restart()


@pytest.mark.parametrize(("small", "says"), [(small_disk, "No space left on device"), (small_files, "File too large")])
def test_a_warehouse_without_room(
    stack: Stack, small: Callable[[Stack], AbstractContextManager[Callable[[], object]]], says: str
):
    stack.shop(MANY)
    with small(stack) as make_room:
        stack.load("retail_db", "transactions", days(1))
        key = stack.prepare("retail_db", "transactions", days(1, 29))
        before = stack.state()
        message = rf"(?s)loading retail_db\.transactions \[2019-11-01.* failed; nothing was changed.*{says}"
        for _ in range(2):
            with pytest.raises(WarehouseError, match=message):
                stack.copy("retail_db", "transactions", key)
            assert stack.state() == before
        make_room()
        assert stack.copy("retail_db", "transactions", key)["status"] == "loaded"
        assert stack.rows(f"{SUMS} {TRANSACTIONS}") == stack.shop(
            f"{SUMS} transactions where transaction_at < %s", days(29)[1]
        )
        assert len(stack.loads("transactions")) == 2
