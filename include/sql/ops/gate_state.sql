-- What a stream's gate has to look at: the last load that passed and by which contract, the loads after it, how many
-- rows of theirs stand, and up to when the stream is loaded: the end of its newest slice, or when that was read.
select
    coalesce(marks.load_id, 0) as passed,
    marks.contract_digest,
    coalesce(loads.load_ids, '{{}}'),
    coalesce(loads.standing_rows, 0)::bigint,
    least(watermarks.slice_end, newest.extracted_at)
from (values ($1::text, $2::text)) as streams (source, stream)
left join ops.gate_marks as marks using (source, stream)
left join ops.watermarks as watermarks using (source, stream)
left join ops.loads as newest on newest.load_id = watermarks.load_id
left join lateral (
    select
        array_agg(ungated.load_id order by ungated.load_id) as load_ids,
        sum(ungated.loaded_rows) filter (where states.stands) as standing_rows
    from ops.ungated_loads as ungated
    inner join ops.load_states as states using (load_id)
    where ungated.source = streams.source and ungated.stream = streams.stream
) as loads on true
