"""# maintain_quarantine

**Purpose.** Brings quarantined rows to the warehouse, once what they did not fit was mended: exactly once.

**Grain.** One run for all streams, or for `source`, or for its `stream`; one transaction for each load that set rows
aside.

**Owner.** data-platform. Tier 3: somebody triggers it after a contract was corrected.

**Re-run.** Any time: what was replayed is not replayed again. Rows that still don't fit stay, with their new reasons.

**Triage.** `plan` says per stream what waits, and why. `replay` is skipped: no row fits yet, the log says why not.
`replay` fails: nothing of that load was changed; the log says what to do. `gate` fails: the rows are in raw, but no
mart will show them before the gate has passed. See `docs/runbooks/fix-and-replay-quarantine.md`.
"""

from datetime import timedelta

from airflow.sdk import DAG

from datastack.pipelines.maintain import replay_params, replay_quarantine
from datastack.pipelines.settings import defaults, tags

with DAG(
    "maintain_quarantine",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=4),
    default_args=defaults("data-platform"),
    tags=tags("maintain", "platform", tier=3),
    params=replay_params(),
):
    replay_quarantine()
