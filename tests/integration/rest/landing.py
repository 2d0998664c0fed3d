"""Lands a stream as a task does. Run as a module it does so in a process of its own, page by page, to be killed."""

import functools
import json
import sys
from pathlib import Path

from datastack.contract.api_sources import ApiSource
from datastack.contract.model import Column, Contract
from datastack.lake.checkpoint import PagesCheckpoint
from datastack.lake.store import Bucket, LakeStore, s3
from datastack.operators import landing as landing_module
from datastack.operators.landing import Landing
from datastack.source.rest.api import RestApi
from datastack.source.rest.secrets import Credentials
from tests.integration.rest.server import WINDOW

BUCKET = "rest"


def landing_of(
    lake: LakeStore,
    declared: ApiSource,
    address: str,
    folder: Path,
    stream: str = "things",
    version: str = "1.0.0",
    run: str = "r",
    parent: str | None = None,
) -> Landing:
    """Return one try at a stream."""
    column = Column(name="n", type="bigint", description="d", path="n")
    contract = Contract(
        source="shop",
        stream=stream,
        version=version,
        description="d",
        grain="g",
        owner="o",
        columns=(column,),
        minimum_rows=1,
        file=Path("c.yaml"),
    )
    return Landing(
        lake=lake,
        contract=contract,
        source=declared,
        address=address,
        window=WINDOW,
        checkpoint=PagesCheckpoint(lake, "shop", stream, WINDOW, run),
        file=folder / "shop.py",
        parent_manifest=parent,
    )


def main(told: str) -> None:
    """Land what a test tells; a page is a part."""
    given = json.loads(told)
    bucket = Bucket(s3(*given["lake"]), BUCKET)
    declared = ApiSource.model_validate(given["declared"])
    landing_module.LinesParts = functools.partial(landing_module.LinesParts, part_bytes=0)  # type: ignore[misc]
    landing = landing_of(LakeStore(bucket, bucket), declared, given["address"], Path(given["folder"]))
    with RestApi(declared, given["address"], Credentials("shop_api", "", "s3cret")) as api:
        landing.land(api)


if __name__ == "__main__":
    main(sys.argv[1])
