"""# maintain_rollback

**Purpose.** Takes the last publication of a domain back: consumers see again, in one moment, what they saw before it.

**Grain.** One run, one publication. A second run goes back one more; the last three can be taken back.

**Owner.** analytics. Tier 1: triggered when what is published is wrong.

**Re-run.** A run that is cleared takes nothing more back; each new one does. Triggered as it is, it ends after `plan`,
which says what would be taken back; untick `dry_run` to do it. Afterwards the domain is on hold: its transform is
skipped until it is triggered with `force`, and then takes up all loads that the publication held.

**Triage.** A task fails: consumers keep what they have, and the log says why. Nothing is kept: mend the model, and
trigger the transform with `full_refresh`. See `docs/runbooks/roll-back-a-publication.md`.
"""

from datetime import timedelta

from airflow.sdk import DAG

from datastack.pipelines.maintain import roll_back_domain, roll_back_params
from datastack.pipelines.settings import defaults, tags

with DAG(
    "maintain_rollback",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=defaults("analytics"),
    tags=tags("maintain", "retail", tier=1),
    params=roll_back_params(["retail"]),
):
    roll_back_domain()
