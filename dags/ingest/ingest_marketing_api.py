"""# ingest_marketing_api

**Purpose.** Brings campaigns, their coupons and the redemptions from the marketing team's service, once a day.

**Grain.** One run a day: redemptions that changed in the UTC day, and all campaigns and coupons.

**Owner.** data-platform. Tier 2: the campaign report waits for it.

**Re-run.** Any run, any day, in any order: clear it, backfill it, or trigger it with `window_start` and `window_end`.
What the service answered stays in the lake's landing zone, so `conform` and later tasks re-run without asking again.

**Triage.** `extract` fails: is the service up, are login and password of connection `marketing_api` good, is it
limiting us (429)? `conform` fails: the log says which rows don't fit and where they are kept. `gate` fails: the log
names check and measure.
"""

from airflow.sdk import DAG

from datastack.contract.registry import load_source
from datastack.pipelines.ingest import ingest_streams
from datastack.pipelines.settings import ingest_settings

SOURCE = "marketing_api"

with DAG("ingest_marketing_api", doc_md=__doc__, catchup=False, **ingest_settings(load_source(SOURCE).source)):
    ingest_streams(SOURCE)
