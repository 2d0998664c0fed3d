"""dlt's REST client: pages as Python objects, thrown away.

Run as ``python -m bench.peers.dlt_rest cursor|offset URL PAGES`` in the peers' venv.
"""

import os
import sys
from typing import Any

from bench.child import timed

RECORDS = 100


def main(kind: str, url: str, pages: str) -> None:
    """Read all pages."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator, OffsetPaginator

    paginator: Any = OffsetPaginator(limit=RECORDS, total_path="total")
    if kind == "cursor":
        paginator = JSONResponseCursorPaginator(cursor_path="next_cursor", cursor_param="cursor")
    client = RESTClient(url, paginator=paginator, data_selector="data")
    with timed() as report:
        records = sum(len(page) for page in client.paginate(f"/{kind}"))
        report["rows"] = records // RECORDS
    if records != int(pages) * RECORDS:
        raise ValueError(f"{records} records of {pages} pages")


if __name__ == "__main__":
    main(*sys.argv[1:])
