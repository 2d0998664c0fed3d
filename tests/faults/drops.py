"""What a partner drops into the bucket, item by item: weeks' files, corrected at times, and documents."""

import gzip
import random
from collections.abc import Mapping
from datetime import date, timedelta

from tests.faults.lanes import Item, Lane
from tests.integration.harness import Stack, days

BUCKET = "partner-drops"
FIRST = date(2019, 7, 1)  # a Monday
HEADER = "product_id,store_id,display_location,mailer_location,week,week_start\n"
UNFIT = 3  # rows of each file that don't fit the contract
_ROWS = 1500
_PLACES, _MAILERS = "012345679A", "0ACDFHJLPXZ"
_PDF = b"%PDF-1.4\n"

Files = Mapping[str, bytes | None]


def drops(count: int) -> list[Lane]:
    """Return lanes of files and of documents.

    :param count: items of each.
    """
    weeks = tuple(_week_item(n) for n in range(count))
    documents = tuple(Item(n, days(n % 28 + 1), files=_documents(n)) for n in range(count))
    # When a document was modified, and by it where it stands in the lake, is the clock's to say.
    return [
        Lane("promotions", "promotions", weeks),
        Lane("leaflets", "leaflets", documents, ("modified_at", "lake_key")),
    ]


def deliver(stack: Stack, files: Files) -> None:
    """Put files into the bucket, or delete them."""
    client = stack.lake.client()
    for key, content in files.items():
        if content is None:
            client.delete_object(Bucket=BUCKET, Key=key)
        else:
            metadata = {"designer": key.rpartition("/")[2]}
            client.put_object(Bucket=BUCKET, Key=key, Body=content, Metadata=metadata)


def empty(stack: Stack) -> None:
    """Delete everything that was delivered."""
    found = stack.lake.client().list_objects_v2(Bucket=BUCKET).get("Contents", ())
    deliver(stack, {item["Key"]: None for item in found})


def file_of(week: int, version: int) -> dict[str, bytes]:
    """Key and content of a version of a week's file."""
    monday, chance = FIRST + timedelta(weeks=week), random.Random(f"{week}.{version}")  # noqa: S311
    rows = [
        f"{chance.randrange(10**7)},{chance.randrange(300)},{chance.choice(_PLACES)},{chance.choice(_MAILERS)},"
        f"{week + 1},{monday}\n"
        for _ in range(_ROWS - 100 * version)
    ]
    unfit = [f"{n},no store,0,0,{week + 1},{monday}\n" for n in range(UNFIT)]
    content = gzip.compress("".join([HEADER, *rows, *unfit]).encode(), mtime=0)
    return {f"promotions/promotions_{monday}.csv.gz": content}


def window_of(first: int, last: int) -> tuple[str, str]:
    """Window of some weeks, the last one included."""
    return (f"{FIRST + timedelta(weeks=first)}T00:00:00Z", f"{FIRST + timedelta(weeks=last + 1)}T00:00:00Z")


def _week_item(n: int) -> Item:
    """Two weeks' files, then the second one corrected, then the first corrected and the second as it was before."""
    first = n // 3 * 2
    second = first + 1
    match n % 3:
        case 0:
            files = file_of(first, 0) | file_of(second, 0)
        case 1:
            files = file_of(second, 1)
        case _:
            files = file_of(first, 1) | file_of(second, 0)
    return Item(n, window_of(first, second), files=files)


def _documents(n: int) -> Files:
    """Two more documents; one of those of the item before is changed, the other one deleted."""
    found: dict[str, bytes | None] = {_name(n, "a"): _content(n, 0), _name(n, "b"): _content(n, 1)}
    if n:
        found |= {_name(n - 1, "a"): _content(n, 2), _name(n - 1, "b"): None}
    return found


def _name(n: int, which: str) -> str:
    return f"leaflets/{which}-{n}.pdf"


def _content(n: int, which: int) -> bytes:
    return _PDF + random.Random(f"{n}.{which}").randbytes(40_000)  # noqa: S311
