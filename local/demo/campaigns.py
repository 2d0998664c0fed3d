"""The API's campaigns, and what is below each of them: its households and its coupons."""

from collections.abc import Mapping
from typing import Annotated

import pyarrow.compute as pc
from fastapi import APIRouter, HTTPException, Query, Request, Response

from local.demo import dataset
from local.demo.pages import JsonRows, as_json
from local.demo.queries import PerPage, Skip


def campaign_rows(weeks: int) -> JsonRows:
    """Render the campaigns, nested: a period, and the households that each one addresses."""
    return JsonRows.of_objects(
        {
            "campaign_id": row["campaign_id"],
            "campaign_type": row["campaign_type"],
            "period": {"start_date": str(row["start_date"]), "end_date": str(row["end_date"])},
            "households": [{"household_id": household} for household in row["household_ids"] or []],
        }
        for row in dataset.campaigns(weeks).to_pylist()
    )


def campaign_router(weeks: int) -> APIRouter:
    """Return the endpoints below a campaign."""
    router = APIRouter(prefix="/campaigns/{campaign_id}")
    households = {
        row["campaign_id"]: JsonRows.of_objects({"household_id": each} for each in row["household_ids"] or [])
        for row in dataset.campaigns(weeks).to_pylist()
    }
    coupons = dataset.coupons()
    by_campaign = {
        campaign: JsonRows.of_table(coupons.filter(pc.equal(coupons["campaign_id"], campaign)))
        for campaign in households
    }

    @router.get("/households")
    async def get_households(campaign_id: int, query: Annotated[Skip, Query()], request: Request) -> Response:
        rows, stop = _of(households, campaign_id), query.skip + query.limit
        following = str(request.url.include_query_params(skip=stop)) if stop < len(rows) else None
        return as_json(rows.page(query.skip, stop, next=following, total=len(rows)))

    @router.get("/coupons")
    async def get_campaign_coupons(campaign_id: int, query: Annotated[PerPage, Query()], request: Request) -> Response:
        rows, stop = _of(by_campaign, campaign_id), query.page * query.per_page
        answer = as_json(rows.listed(stop - query.per_page, stop))
        pages = {"prev": query.page - 1, "next": query.page + 1 if stop < len(rows) else 0}
        links = [
            f'<{request.url.include_query_params(page=page)}>; rel="{name}"' for name, page in pages.items() if page
        ]
        if links:
            answer.headers["Link"] = ", ".join(links)
        return answer

    return router


def _of(rows: Mapping[int, JsonRows], campaign_id: int) -> JsonRows:
    if campaign_id not in rows:
        raise HTTPException(404, f"there is no campaign {campaign_id}")
    return rows[campaign_id]
