"""The marketing department's API: campaigns, coupons, redemptions. Everything but /health needs a token.

    python -m local.demo.marketing_api      serve on 127.0.0.1, or DEMO_MARKETING_API_HOST, until it is stopped

Five endpoints, five styles of pagination: campaigns by page number, coupons by offset, redemptions by cursor, a
campaign's households by the next page's address, a campaign's coupons by the header Link. Answers are `{"data": [...],
...}`, the last one's a bare list; errors are `{"detail": ...}`.
"""

import os
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Self

import pyarrow as pa
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Response
from starlette.types import ASGIApp

from local.demo import dataset
from local.demo.access import Gatekeeper, Signer, TokenBucket
from local.demo.campaigns import campaign_router, campaign_rows
from local.demo.faults import Fault, FaultInjector
from local.demo.pages import JsonRows, as_json
from local.demo.queries import Offset, PageNumber, Window

HOST = "127.0.0.1"
PREFIX = "DEMO_MARKETING_API_"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to serve.

    :param anchor: the day that plays "today".
    :param token_seconds: life of an access token.
    :param rate: calls a second that the client may make in the long run.
    :param burst: calls that it may make at once.
    :param faults: whether /_faults exists.
    """

    client_id: str
    client_secret: str
    anchor: date
    token_seconds: int = 3600
    rate: float = 20
    burst: int = 20
    faults: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read DEMO_MARKETING_API_*, DATASTACK_DEMO_ANCHOR and DEMO_FAULTS. Raises ValueError."""
        return cls(
            client_id=required(environment, "CLIENT_ID"),
            client_secret=required(environment, "CLIENT_SECRET"),
            anchor=dataset.anchor_from(environment),
            token_seconds=int(environment.get(f"{PREFIX}TOKEN_SECONDS") or cls.token_seconds),
            rate=float(environment.get(f"{PREFIX}RATE") or cls.rate),
            burst=int(environment.get(f"{PREFIX}BURST") or cls.burst),
            faults=environment.get("DEMO_FAULTS") == "1",
        )


def required(environment: Mapping[str, str], name: str) -> str:
    """Return DEMO_MARKETING_API_<name>. Raises ValueError when it is missing."""
    if not environment.get(PREFIX + name):
        raise ValueError(f"{PREFIX}{name} is not set")
    return environment[PREFIX + name]


class Redemptions:
    """Redemptions, only those whose time has come.

    :param table: as of `dataset.redemptions`, in order of updated_at.
    :param signer: seals the cursors.
    """

    def __init__(self, table: pa.Table, signer: Signer) -> None:
        self._rows = JsonRows.of_table(table)
        self._moments: list[datetime] = table["updated_at"].to_pylist()
        self._signer = signer

    def page(self, window: Window, now: datetime) -> bytes:
        """Render a page and the cursor to the next. Raises ValueError for a cursor that does not fit.

        Rows released between two pages are left out: the first page fixes where the last one ends.
        """
        first = bisect_left(self._moments, window.updated_since) if window.updated_since else 0
        if window.cursor is None:
            start, stop = first, self._stop(window, now)
        else:
            start, stop = self._opened(window)
        end = min(start + window.limit, stop)
        cursor = self._signer.seal({"at": end, "stop": stop, "of": _key(window)}) if end < stop else None
        return self._rows.page(start, end, next_cursor=cursor, total=max(stop - first, 0))

    def _stop(self, window: Window, now: datetime) -> int:
        released = bisect_right(self._moments, now)
        return min(bisect_left(self._moments, window.until), released) if window.until else released

    def _opened(self, window: Window) -> tuple[int, int]:
        content = self._signer.open(window.cursor or "")
        if content["of"] != _key(window):
            raise ValueError("made for another window")
        return content["at"], content["stop"]


def _key(window: Window) -> list[float | None]:
    return [moment.timestamp() if moment else None for moment in (window.updated_since, window.until)]


def data_router(weeks: int, cursor_signer: Signer) -> APIRouter:
    """Return the endpoints over the data, shifted by so many weeks."""
    router = APIRouter()
    campaigns = campaign_rows(weeks)
    coupons = JsonRows.of_table(dataset.coupons())
    redemptions = Redemptions(dataset.redemptions(weeks), cursor_signer)

    @router.get("/campaigns")
    async def get_campaigns(query: Annotated[PageNumber, Query()]) -> Response:
        start = (query.page - 1) * query.page_size
        return as_json(campaigns.page(start, start + query.page_size, **query.model_dump(), total=len(campaigns)))

    @router.get("/coupons")
    async def get_coupons(query: Annotated[Offset, Query()]) -> Response:
        stop = query.offset + query.limit
        return as_json(coupons.page(query.offset, stop, **query.model_dump(), total=len(coupons)))

    @router.get("/redemptions")
    async def get_redemptions(query: Annotated[Window, Query()]) -> Response:
        try:
            return as_json(redemptions.page(query, datetime.now(UTC)))
        except ValueError as failure:
            detail = f"cursor: {failure}; use next_cursor as it came, with the same window, or none to start over"
            raise HTTPException(400, detail) from None

    router.include_router(campaign_router(weeks))
    return router


def fault_router(injector: FaultInjector) -> APIRouter:
    """Return the endpoints by which tests order faults."""
    router = APIRouter(prefix="/_faults")

    @router.post("", status_code=201)
    async def add(fault: Fault) -> Fault:
        injector.queue(fault)
        return fault

    @router.get("")
    async def show() -> dict[str, object]:
        return {"pending": injector.pending, "fired": injector.fired}

    @router.delete("", status_code=204)
    async def clear() -> None:
        injector.clear()

    return router


def create_app(settings: Settings) -> ASGIApp:
    """Build the application; it holds the data, some 10 MB, and no other state than turns and faults."""
    weeks = dataset.shift_weeks(settings.anchor)
    turns = TokenBucket(settings.rate, settings.burst)
    keeper = Gatekeeper(settings.client_id, settings.client_secret, settings.token_seconds, turns)
    app = FastAPI(title="marketing_api", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    app.add_route("/oauth/token", keeper.issue_token, methods=["POST"])
    let_in = [Depends(keeper.require_token), Depends(keeper.require_turn)]
    cursor_signer = Signer(settings.client_secret, f"cursor into data shifted by {weeks} weeks")
    app.include_router(data_router(weeks, cursor_signer), dependencies=let_in)
    if not settings.faults:
        return app
    injector = FaultInjector(app)
    app.include_router(fault_router(injector), dependencies=[Depends(keeper.require_token)])
    return injector


def main() -> None:
    """Serve until SIGTERM or SIGINT; a failure is one line and exit status 1."""
    try:
        app = create_app(Settings.from_environment(os.environ))
        port = int(required(os.environ, "PORT"))
    except (OSError, ValueError) as failure:
        sys.exit(f"marketing_api failed: {failure}")
    host = os.environ.get(f"{PREFIX}HOST") or HOST
    uvicorn.run(app, host=host, port=port, server_header=False, timeout_graceful_shutdown=2)


if __name__ == "__main__":
    main()
