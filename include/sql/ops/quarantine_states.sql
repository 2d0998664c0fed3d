-- What became of quarantined parts, and of the loads that read them.
select
    quarantine.rows,
    quarantine.replay_load_id,
    origin.load_id,
    states.stands,
    states.is_cut,
    origin.slice_start,
    origin.slice_end,
    origin.extracted_at,
    origin.object_key,
    origin.object_etag
from ops.quarantine as quarantine
inner join ops.load_states as states using (load_id)
inner join ops.loads as origin on origin.load_id = states.origin_id
where
    origin.source = $1
    and origin.stream = $2
    and quarantine.quarantine_id = any($3)
