"""Contenders that read an API. Run as ``python -m bench.api_child NAME URL PAGES [RATE]``.

``bare``, ``bare-file`` and ``bare-uvloop`` are the loop that anybody writes, which knows where the pages are, looks
into none, and throws them away or writes them to a file. ``ours`` lands them. Each is followed by ``-cursor``, one page
after the other, or ``-offset``, four at a time; ``ours-limited`` keeps to a rate.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import uvloop

from bench.api_server import RECORDS
from bench.child import timed

CONCURRENCY = 4
LAKE = "BENCH_LAKE"  # access key, secret key, endpoint, bucket


async def bare(url: str, pages: int, in_turn: bool, keep: Callable[[bytes], Any]) -> None:
    """Ask for all pages."""

    async def ask(client: httpx.AsyncClient, numbers: Any) -> None:
        for number in numbers:
            params = {"cursor": f"c{number}"} if in_turn else {"offset": number * RECORDS, "limit": RECORDS}
            response = await client.get("/cursor" if in_turn else "/offset", params=params)
            response.raise_for_status()
            keep(response.content)

    async with httpx.AsyncClient(base_url=url) as client:
        numbers = iter(range(pages))  # shared
        await asyncio.gather(*(ask(client, numbers) for _ in range(1 if in_turn else CONCURRENCY)))


def loop(name: str, url: str, pages: int) -> dict[str, Any]:
    """Run a bare loop."""
    run: Callable[[Awaitable[None]], None] = uvloop.run if "uvloop" in name else asyncio.run  # type: ignore[assignment]
    into_file = "file" in name
    with tempfile.TemporaryFile() if into_file else nullcontext() as file:
        keep = (lambda body: file.write(body + b"\n")) if file else len
        with timed() as report:
            run(bare(url, pages, name.endswith("-cursor"), keep))
            report["rows"] = pages
    return report


def ours(name: str, url: str, pages: int, rate: int) -> None:
    """Land the pages in S3, with checkpoints, as the operator does."""
    from datastack.contract.api_sources import ApiSource
    from datastack.contract.model import Column, Contract
    from datastack.contract.slice import Slice
    from datastack.lake.checkpoint import PagesCheckpoint
    from datastack.lake.parts import read_lines
    from datastack.lake.store import Bucket, LakeStore, s3
    from datastack.operators.landing import Landing
    from datastack.source.rest.api import RestApi
    from datastack.source.rest.secrets import Credentials

    *credentials, bucket_name = os.environ[LAKE].split(" ")
    access_key, secret_key, endpoint = credentials
    bucket = Bucket(s3(access_key, secret_key, None, "us-east-1", endpoint), bucket_name)
    lake, window = LakeStore(bucket, bucket), Slice.parse("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    column = Column(name="id", type="bigint", description="d", path="id")
    about = {"description": "d", "grain": "g", "owner": "o", "minimum_rows": 1, "file": Path("c.yaml")}
    contract = Contract(source="bench", stream="pages", version="1.0.0", columns=(column,), **about)
    source = ApiSource.model_validate(_declared(name, rate))
    checkpoint = PagesCheckpoint(lake, "bench", "pages", window, name)
    landing = Landing(lake, contract, source, url, window, checkpoint, Path("bench.py"))
    with timed() as report:
        with RestApi(source, url, Credentials("bench")) as api:
            manifest = landing.land(api)
        checkpoint.end()
        report["rows"] = manifest.rows // RECORDS
    landed = sum(1 for _ in read_lines(lake, manifest.parts))
    if (landed, manifest.rows) != (pages, pages * RECORDS):
        raise ValueError(f"{landed} of {pages} pages landed, with {manifest.rows} records")


def _declared(name: str, rate: int) -> dict[str, Any]:
    pagination: dict[str, Any] = {"kind": "offset", "limit": RECORDS}
    if name.endswith("-cursor"):
        pagination = {"kind": "cursor"}
    path = f"/{name.rsplit('-', 1)[1]}"
    return {
        "name": "bench",
        "description": "d",
        "kind": "rest_api",
        "connection": "bench",
        "owner": "o",
        "domain": "d",
        "tier": 3,
        "schedule": "0 0 * * *",
        "start_date": "2026-01-01",
        "auth": {"kind": "none"},
        "limits": {"concurrency": CONCURRENCY} | ({"requests": rate} if rate else {}),
        "streams": {
            "pages": {
                "path": path,
                "params": {"cursor": "c0"} if name.endswith("-cursor") else {},
                "records": "data",
                "total": "total",
                "pagination": pagination,
                "write": "replace",
            }
        },
    }


if __name__ == "__main__":
    which, address, count, *limit = sys.argv[1:]
    if which.startswith("bare"):
        loop(which, address, int(count))
    else:
        ours(which, address, int(count), int(limit[0]) if limit else 0)
