"""# maintain_reconform

**Purpose.** Conforms a whole stream again from what was received, with its contract as it is now, and loads it.

**Grain.** One run for one stream: all its slices and files, or those within `window_start` and `window_end`.

**Owner.** data-platform. Tier 3: somebody triggers it after a contract was changed.

**Re-run.** Any time: the same landing and contract leave the same table. Clear a task to do it again.

**Triage.** `plan` fails: it says which slices can't be conformed again and why (their landing is past its retention; a
part of them was loaded anew; a database keeps no landing), and what to do. `conform` fails: rows don't fit the changed
contract, the log says which. `copy` fails: the raw table can't be altered so, the log names column and types. `gate`
fails: the log names check and measure. See `docs/runbooks/change-a-contract-and-reconform.md`.
"""

from datetime import timedelta

from airflow.sdk import DAG

from datastack.pipelines.maintain import reconform_params, reconform_stream
from datastack.pipelines.settings import defaults, tags

with DAG(
    "maintain_reconform",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    default_args=defaults("data-platform"),
    tags=tags("maintain", "platform", tier=3),
    params=reconform_params(),
):
    reconform_stream()
