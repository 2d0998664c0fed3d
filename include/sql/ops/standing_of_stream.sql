-- Loads of a stream that stand, in the order in which they were loaded; $3 and $4 bound the slices, if they are given.
-- Replayed rows come again with the load that they are of.
select
    loads.manifest_key,
    loads.slice_start,
    loads.slice_end,
    states.is_cut
from ops.loads as loads
inner join ops.load_states as states using (load_id)
where
    loads.source = $1
    and loads.stream = $2
    and loads.replay_of is null
    and states.stands
    and loads.slice_end > coalesce($3::timestamptz, '-infinity')
    and loads.slice_start < coalesce($4::timestamptz, 'infinity')
order by loads.load_id
