-- What a run has brought back from quarantine, in all of its tries.
select
    count(*) as loads,
    coalesce(sum(loaded_rows), 0) as rows
from ops.loads
where
    source = $1
    and stream = $2
    and replay_of is not null
    and dag_id = $3
    and run_id = $4
