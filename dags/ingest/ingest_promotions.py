"""# ingest_promotions

**Purpose.** Brings the partner's weekly files of displays and mailers to the warehouse, as they arrive.

**Grain.** One run a week: the file of the week that is over, and files of other weeks that came late or were corrected.

**Owner.** data-platform. Tier 2: what campaigns did is told without it.

**Re-run.** Any run, any week, in any order: clear it, backfill it, or trigger it with `window_start` and `window_end`
(a year in one run is fine). A file that is loaded already is not loaded twice, and a corrected one takes the place of
what it brought before.

**Triage.** `await` waits (deferred: no worker is held): the file of the week is not there yet; after two days it
fails, and you ask the partner. `extract` fails: may connection `partner_drops` list and read the bucket? `conform`
fails: the log says which rows don't fit and where they are kept. `gate` fails: the log names check and measure.
"""

from airflow.sdk import DAG

from datastack.contract.registry import load_source
from datastack.pipelines.ingest import ingest_streams
from datastack.pipelines.settings import ingest_settings

SOURCE = "promotions"

with DAG("ingest_promotions", doc_md=__doc__, catchup=False, **ingest_settings(load_source(SOURCE).source)):
    ingest_streams(SOURCE)
