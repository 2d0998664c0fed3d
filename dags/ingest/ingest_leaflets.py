"""# ingest_leaflets

**Purpose.** Keeps a copy of what the partner printed, drew and recorded for campaigns, with a row each to find it by.

**Grain.** One run a day: files that are new or changed, and those that are gone.

**Owner.** data-platform. Tier 3: nothing waits for it.

**Re-run.** Any time: the same files give the same rows. Copies stand in the lake's landing zone, untouched.

**Triage.** `extract` fails: may connection `partner_drops` list and read the bucket? Did the partner take all files
away? `gate` fails: the log names check and measure.
"""

from airflow.sdk import DAG

from datastack.contract.registry import load_source
from datastack.pipelines.ingest import ingest_streams
from datastack.pipelines.settings import ingest_settings

SOURCE = "leaflets"

with DAG("ingest_leaflets", doc_md=__doc__, catchup=False, **ingest_settings(load_source(SOURCE).source)):
    ingest_streams(SOURCE)
