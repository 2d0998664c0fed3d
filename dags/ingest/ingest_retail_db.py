"""# ingest_retail_db

**Purpose.** Brings the shop's households, products and transactions to the warehouse, once a day.

**Grain.** One run a day: transactions and changed households of the UTC day, and the whole product catalogue.

**Owner.** data-platform. Tier 1: reports wait for it.

**Re-run.** Any run, any day, in any order: clear it, backfill it, or trigger it with `window_start` and `window_end`
(a year in one run is fine). The same window loaded again leaves the same tables.

**Triage.** `move` fails: the error says which side. Source: is the database up, may connection `retail_db` read the
table, did a column go? Warehouse: is it up? Nothing is half loaded, and what was read is kept; clear the task. `gate`
fails: the log names check and measure; the rows are in raw, but no mart will show them before the gate has passed.
"""

from airflow.sdk import DAG

from datastack.contract.registry import load_source
from datastack.pipelines.ingest import ingest_streams
from datastack.pipelines.settings import ingest_settings

SOURCE = "retail_db"

with DAG("ingest_retail_db", doc_md=__doc__, catchup=False, **ingest_settings(load_source(SOURCE).source)):
    ingest_streams(SOURCE)
